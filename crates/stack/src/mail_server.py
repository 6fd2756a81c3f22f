"""A mail server for tests: it keeps what it gets in a Maildir, and notes each command that it is sent, and whether that came over TLS."""

import argparse
import asyncio
import ssl
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--security", choices=["clear", "starttls", "tls"], required=True)
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--login", help="user:password; without it nobody can log in")
args = parser.parse_args()

context = None
if args.cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.cert, args.key)


def authenticate(server, session, envelope, mechanism, data):
    given = f"{data.login.decode()}:{data.password.decode()}"
    return AuthResult(success=given == args.login, handled=False)


def note(connection, command):
    """Not the arguments: that a password was sent is of interest, not which."""
    over_tls = args.security == "tls" or connection._tls_protocol is not None
    with (args.folder / "commands").open("a") as notes:
        notes.write(f"{command} {'tls' if over_tls else 'clear'}\n")


class Noting(SMTP):
    async def smtp_AUTH(self, arg):
        note(self, "AUTH")
        await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg):
        note(self, "MAIL")
        await super().smtp_MAIL(arg)


def connection():
    return Noting(
        Mailbox(args.folder / "mail"),
        enable_SMTPUTF8=True,
        tls_context=context if args.security == "starttls" else None,
        require_starttls=args.security == "starttls",
        authenticator=authenticate,
        auth_required=args.login is not None,
        # A server that would take a password in clear text: who has one must not send it there.
        auth_require_tls=args.security == "starttls",
    )


async def main():
    loop = asyncio.get_running_loop()
    implicit = context if args.security == "tls" else None
    server = await loop.create_server(connection, "127.0.0.1", args.port, ssl=implicit)
    await server.serve_forever()


asyncio.run(main())
