"""authority.py - a certificate authority of a test's own, and what it signs."""
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Makes certificates: own(name), or signed(name, days) by an authority whose own is ca.pem."""
    if not shutil.which("openssl"):
        pytest.skip("the openssl command makes the certificates")
    folder = tmp_path_factory.mktemp("ca")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, cwd=folder)

    def own(name):
        openssl("req", "-x509", *key, "-keyout", f"{name}.own.key", "-out", f"{name}.own.pem", "-days", 2,
                "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
        return folder / f"{name}.own.pem", folder / f"{name}.own.key"

    def signed(name, days=2):
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
        openssl("req", *key, "-keyout", f"{name}{days}.key", "-out", "request", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", days, "-extfile", "names", "-out", f"{name}{days}.pem")
        return folder / f"{name}{days}.pem", folder / f"{name}{days}.key"

    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", 2, "-subj", "/CN=Test Authority")
    return type("Authority", (), {"own": staticmethod(own), "signed": staticmethod(signed), "ca": folder / "ca.pem"})
