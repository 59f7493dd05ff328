"""Print the SSLConfig for TensorFlow Serving's --ssl_config_file: PEM files in one protobuf text.

    python serving/ssl_config.py server.crt server.key > ssl.config
    python serving/ssl_config.py server.crt server.key --client_ca ca.crt > ssl.config    clients must show certificates

The output contains the private key: whoever can read it can impersonate the server.
"""

import argparse
from pathlib import Path


def ssl_config(certificate: str, key: str, client_ca: str | None = None) -> str:
    """The text of an SSLConfig from the contents of PEM files."""
    fields = {"server_key": key, "server_cert": certificate}
    if client_ca is not None:
        fields["custom_ca"] = client_ca
    lines = [f'{name}: "{pem.strip().encode("unicode_escape").decode()}\\n"' for name, pem in fields.items()]
    return "\n".join([*lines, f"client_verify: {'true' if client_ca is not None else 'false'}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("certificate", type=Path, help="the server's certificate, with its chain")
    parser.add_argument("key", type=Path, help="its private key")
    parser.add_argument("--client_ca", type=Path, help="who must have signed the clients' certificates")
    files = parser.parse_args()
    try:
        ca = files.client_ca.read_text() if files.client_ca else None
        print(ssl_config(files.certificate.read_text(), files.key.read_text(), ca), end="")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"expected PEM files that can be read: {error}")


if __name__ == "__main__":
    main()
