"""Orders, and the tables of the outbox."""

from typing import Any, ClassVar

from django.db import migrations, models
from examples.django_shop.queues import outbox


def create_outbox(apps: Any, schema_editor: Any) -> None:
    """Create the tables of the outbox, in the words of the database."""
    for statement in outbox.ddl(schema_editor.connection.vendor).split(";\n"):
        if statement.strip():
            schema_editor.execute(statement)


class Migration(migrations.Migration):
    """The first."""

    initial = True
    operations: ClassVar = [
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("symbol", models.CharField(max_length=20)),
                ("quantity", models.PositiveIntegerField()),
                ("status", models.CharField(default="new", max_length=20)),
            ],
        ),
        migrations.RunPython(create_outbox, migrations.RunPython.noop),
    ]
