"""Alerts by e-mail: a password is not sent in clear text unless the URL allows that."""

from collections.abc import Iterator

import pytest

from stockyard.errors import NotificationFailed
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.alerts.notifiers import Apprise
from tests.support.mail import MailServer

# Apprise imports it where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

INCIDENT = Incident(
    rule="failed",
    subject="mail",
    action="look",
    status=Status.FIRING,
    value=1,
    threshold=0,
    message="1 failed",
    since=1,
    at=1,
)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


async def test_mail_goes_out_by_apprise(mail: MailServer) -> None:
    await Apprise((f"mailto://desk:s3cret@{mail.address}?from=desk@example.org&to=ops@example.org",)).notify(
        INCIDENT
    )
    assert any(line.startswith("Subject: ") and "mail: failed" in line for line in mail.lines)
    assert any(line.lower().startswith("rcpt to:<ops@example.org>") for line in mail.lines)


async def test_a_password_is_not_sent_where_the_server_offers_no_tls(mail: MailServer) -> None:
    with pytest.raises(NotificationFailed) as refused:
        await Apprise((f"mailtos://desk:s3cret@{mail.address}?mode=starttls&to=ops@example.org",)).notify(INCIDENT)
    assert "s3cret" not in str(refused.value)
    assert not any(line.upper().startswith(("AUTH", "MAIL")) for line in mail.lines)
