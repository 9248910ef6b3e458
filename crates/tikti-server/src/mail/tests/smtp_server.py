"""A mail server for tests: takes its settings as JSON, says each mail that it took as a line of JSON.

Ends when its input does, so that it never outlives whoever started it.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])
answers = list(settings.get("answers", []))


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        # What it says quotes the address, as mail servers do.
        if answers:
            return answers.pop(0).replace("ADDRESS", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "authenticated": bool(session.authenticated),
            "hello": session.host_name,
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    given = [data.login.decode(), data.password.decode()]
    return AuthResult(success=given == settings["credentials"], handled=False)


def protocol():
    security = settings["security"]
    options = {}
    if security == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if "credentials" in settings:
        options.update(auth_required=True, authenticator=authenticate)
    # It does not see that the connection was encrypted before it.
    options["auth_require_tls"] = security == "starttls"
    return SMTP(Handler(), hostname="mail.test", **options)


async def main():
    loop = asyncio.get_running_loop()
    implicit = context if settings["security"] == "tls" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


context = None
if settings["security"] != "none":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings["certificate"], settings["key"])
asyncio.run(main())
