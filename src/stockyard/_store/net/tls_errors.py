"""Explains the fault, and what to do, when a client and a server do not agree on their certificates."""

from __future__ import annotations

import ssl

from stockyard.config import Address
from stockyard.errors import TlsFailed

_WRONG_NAME = (62, 64)
"""OpenSSL's numbers for a certificate that is for another host or another address."""

_OUR_FILES = ("KEY_VALUES_MISMATCH", "PEM", "NO_START_LINE", "BAD_PASSWORD_READ", "BAD_DECRYPT", "NO_CERTIFICATE")


def tls_failure(address: Address, error: BaseException) -> TlsFailed | None:
    """Return why there can be no connection to a server, or None when it was not TLS that failed for good."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    # OpenSSL gives no reason when a file is no PEM at all.
    where, reason = f"the server at {address}", cause.reason or ("NO_PEM" if "PEM" in str(cause) else "")
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message
        if cause.verify_code in _WRONG_NAME:
            return TlsFailed(
                f"{where} shows another server's certificate ({why}): connect by a name that it is made out "
                "to, or have this one added to it"
            )
        return TlsFailed(
            f"the certificate of {where} is not trusted ({why}): name the file of the authority that signed it, "
            "as in rediss://host:6379/0?ca=/path/ca.crt"
        )
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return TlsFailed(
            f"{where} does not accept this client's certificate ({_words(reason)}): name one that its authority "
            "signed, as in rediss://host:6379/0?cert=/path/client.crt&key=/path/client.key"
        )
    if reason == "WRONG_VERSION_NUMBER":
        return TlsFailed(f"{where} does not speak TLS at this port: use redis://, or its TLS port")
    if any(each in reason for each in _OUR_FILES):
        return TlsFailed(
            f"the files for {where} do not serve ({_words(reason)}): ca, cert and key are PEM files, and the key "
            "belongs to the certificate and has no passphrase"
        )
    return None


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()
