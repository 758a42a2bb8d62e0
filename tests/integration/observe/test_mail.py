"""Alerts by e-mail: a password is not sent in clear text unless a setting allows that."""

import base64
from collections.abc import Iterator

import pytest

from stockyard import ConfigError
from stockyard.errors import NotificationFailed
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.alerts.notifiers import Email
from tests.support.mail import MailServer

LOGIN = base64.b64encode(b"\0desk\0s3cret").decode()
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


async def test_a_password_is_not_sent_where_the_server_offers_no_tls(mail: MailServer) -> None:
    with pytest.raises(NotificationFailed, match=r"offers no TLS .*plaintext=1 in STOCKYARD_SMTP_URL") as refused:
        await Email(("ops@example.org",), f"smtp://desk:s3cret@{mail.address}").notify(INCIDENT)
    assert "s3cret" not in str(refused.value)
    assert not any(line.upper().startswith(("AUTH", "MAIL")) for line in mail.lines)


async def test_a_setting_allows_it(mail: MailServer) -> None:
    await Email(("ops@example.org",), f"smtp://desk:s3cret@{mail.address}?plaintext=1").notify(INCIDENT)
    assert f"AUTH PLAIN {LOGIN}" in mail.lines
    assert "To: ops@example.org" in mail.lines


async def test_mail_without_a_password_goes_out_without_tls(mail: MailServer) -> None:
    await Email(("ops@example.org",), f"smtp://{mail.address}").notify(INCIDENT)
    assert "To: ops@example.org" in mail.lines


@pytest.mark.parametrize("query", ["plain=1", "plaintext=yes", "starttls"])
def test_a_wrong_option_is_refused(query: str) -> None:
    with pytest.raises(ConfigError, match="plaintext"):
        Email(("ops@example.org",), f"smtp://desk:s3cret@mail.example.org?{query}")
