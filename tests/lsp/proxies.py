"""proxies.py - a small proxy of three kinds, for tests: HTTP, HTTPS and SOCKS5. It knows every name: each leads to
the port that it was given, so that a test can have servers elsewhere without leaving the machine."""
import base64
import socket
import threading


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Gate:
    """TLS in front of a plain server, by somebody who says in an alert why a handshake failed."""

    def __init__(self, port, context):
        self.target, self.context = port, context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)

    def _listen(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        threading.Thread(target=_pump, args=(server, client), daemon=True).start()
        _pump(client, server)


class Proxy:
    """`asked` holds (method, "host:port", head) of each request; `refuses` is a status for all of them."""

    def __init__(self, port, kind="http", login=None, tls=None, refuses=None):
        self.target, self.kind, self.login, self.tls, self.refuses = port, kind, login, tls, refuses
        self.asked, self.n_refused = [], 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"{ {'http': 'http', 'https': 'https', 'socks5': 'socks5h'}[kind] }://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)

    def with_login(self, login):
        return self.url.replace("://", f"://{login}@")

    def _listen(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_safely, args=(client,), daemon=True).start()

    def _serve_safely(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            self._serve_socks(client) if self.kind == "socks5" else self._serve_http(client)
        except (OSError, ValueError, IndexError):
            self.n_refused += 1
        finally:
            client.close()

    def _join(self, client, first=b""):
        server = socket.create_connection(("127.0.0.1", self.target))
        server.sendall(first)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join(10)
        server.close()

    def _serve_http(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                return
            head += more
        head, rest = head.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, where, version = lines[0].split(" ")
        place = where if method == "CONNECT" else where.split("/")[2]
        self.asked.append((method, place, "\n".join(lines[1:])))
        wanted = self.login and "Proxy-Authorization: Basic " + base64.b64encode(self.login.encode()).decode()
        status = self.refuses or (407 if wanted and wanted not in lines else None)
        if status:
            self.n_refused += 1
            client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n"
                           "Proxy-Authenticate: Basic realm=\"x\"\r\nConnection: close\r\n\r\n".encode())
        elif method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
            self._join(client, rest)
        else:  # of one connection all requests go to the same server
            path = "/" + where.split("/", 3)[3]
            kept = [line for line in lines[1:] if not line.lower().startswith("proxy-")]
            request = "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close"])
            self._join(client, request.encode("latin-1") + b"\r\n\r\n" + rest)

    def _take(self, client, n):
        data = b""
        while len(data) < n:
            more = client.recv(n - len(data))
            if not more:
                raise OSError("gone")
            data += more
        return data

    def _serve_socks(self, client):
        _, n = self._take(client, 2)
        methods = self._take(client, n)
        if self.login:
            if 2 not in methods:
                client.sendall(b"\x05\xff")
                raise OSError("no login offered")
            client.sendall(b"\x05\x02")
            user = self._take(client, self._take(client, 2)[1]).decode()
            password = self._take(client, self._take(client, 1)[0]).decode()
            good = f"{user}:{password}" == self.login
            client.sendall(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                raise OSError("refused")
        else:
            client.sendall(b"\x05\x00")
        kind = self._take(client, 4)[3]
        host = (self._take(client, self._take(client, 1)[0]).decode() if kind == 3
                else socket.inet_ntoa(self._take(client, 4)) if kind == 1 else "v6")
        port = int.from_bytes(self._take(client, 2), "big")
        self.asked.append(("name" if kind == 3 else "address", f"{host}:{port}", ""))
        client.sendall(b"\x05" + (b"\x05" if self.refuses else b"\x00") + b"\x00\x01\x7f\x00\x00\x01\x00\x00")
        if not self.refuses:
            self._join(client)
