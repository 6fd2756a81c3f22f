"""Makes tokens.json: keys, and tokens that joserfc signs with them, one for each algorithm.

    pip install joserfc==1.8.0 cryptography==48.0.0
    python crates/policy/tests/vectors/jwt/generate.py

The keys are made for this file alone and are new each time. It keeps one private key, with which
tests sign tokens of their own.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

CLAIMS = {
    "iss": "https://login.example.com/",
    "sub": "app-1",
    "aud": ["https://api.example.com/", "other"],
    "exp": 2000000600,
    "nbf": 2000000000,
    "iat": 2000000000,
    "scope": "orders:read orders:write",
}


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key, kid: str):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kind = {"rsa": RSAKey, "p25": ECKey, "p38": ECKey, "ed2": OKPKey}[kid[:3]]
    return kind.import_key(pem, {"kid": kid})


def token(algorithm: str, key, **header) -> str:
    header = {"alg": algorithm, "typ": "JWT", **header}
    claims = json.dumps(CLAIMS, separators=(",", ":"))
    return jws.serialize_compact(header, claims, key, algorithms=[algorithm])


def with_secret(secret: bytes) -> str:
    """Signs the claims as HS256, with the bytes of a public key as the secret."""
    header = unpadded(b'{"alg":"HS256","typ":"JWT"}')
    message = f"{header}.{unpadded(json.dumps(CLAIMS).encode())}"
    return f"{message}.{unpadded(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def main() -> None:
    keys = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "rsa-4096": rsa.generate_private_key(65537, 4096),
        "rsa-1024": rsa.generate_private_key(65537, 1024),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    algorithms = {
        "RS256": "rsa", "RS384": "rsa", "RS512": "rsa-4096", "PS256": "rsa",
        "PS384": "rsa-4096", "PS512": "rsa", "ES256": "p256", "ES384": "p384", "EdDSA": "ed25519",
    }
    secret = secrets.token_bytes(64)
    confused = []
    for key in keys.values():
        public = key.public_key()
        for encoding in serialization.Encoding.PEM, serialization.Encoding.DER:
            spki = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
            confused += [with_secret(spki), with_secret(spki.rstrip(b"\n"))]
    jwks = {kid: jwk(key, kid) for kid, key in keys.items()}
    shared = OctKey.import_key(secret)
    made = {
        "claims": CLAIMS,
        "jwks": {"keys": [key.as_dict(private=False) for key in jwks.values()]},
        "private": jwks["ed25519"].as_dict(private=True),
        "secret": secret.hex(),
        "tokens": {
            **{name: token(name, jwks[kid], kid=kid) for name, kid in algorithms.items()},
            **{name: token(name, shared) for name in ("HS256", "HS384", "HS512")},
        },
        "weak": token("RS256", jwks["rsa-1024"], kid="rsa-1024"),
        "public_key_as_secret": sorted(set(confused)),
    }
    path = pathlib.Path(__file__).with_name("tokens.json")
    path.write_text(json.dumps(made, indent=1) + "\n")


main()
