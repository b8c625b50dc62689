"""A mail server of aiosmtpd on a free port. Prints the port, then for each message its envelope and bytes as one JSON object a line. Ends with its input.

Arguments: a certificate file with its key for STARTTLS, or "-"; then a user and a password, or nothing.
"""

import base64
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Recorder:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("bounce@"):
            return "550 5.1.1 no such user"
        if address.startswith("defer@"):
            return "450 4.2.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server, session, envelope):
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "content": base64.b64encode(envelope.content).decode(),
            "tls": session.ssl is not None,
            "user": session.auth_data,
        }
        print(json.dumps(message), flush=True)
        return "250 2.0.0 Ok: queued as 1"


class FreePortController(Controller):
    def factory(self):
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self):
        # The port is known only now; the base class would connect to port 0.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def main(certificate, user=None, password=None):
    context = None
    if certificate != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def authenticate(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False, auth_data=user if right else None)

    controller = FreePortController(
        Recorder(),
        hostname="127.0.0.1",
        port=0,
        enable_SMTPUTF8=True,
        tls_context=context,
        require_starttls=context is not None,
        authenticator=authenticate if user else None,
        auth_required=user is not None,
        auth_require_tls=True,
        data_size_limit=64 * 1024 * 1024,
    )
    controller.start()
    print(controller.port, flush=True)
    sys.stdin.read()
    controller.stop()


main(*sys.argv[1:])
