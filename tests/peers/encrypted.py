"""Reads an encrypted Parquet file with pyarrow: `encrypted.py FILE [KEY AAD_PREFIX]`.

Without a key, the file tells the keys itself: its key material has them in the clear. Prints one line of
JSON: how many rows there are, the sum of the column `id`, and the last value of `note`.
"""

import json
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

import ending


class Told(pe.KmsClient):
    """Takes wrapped keys for the keys, in hexadecimal."""

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return bytes.fromhex(wrapped_key)


def main():
    path, *direct = sys.argv[1:]
    if direct:
        key, prefix = (argument.encode() for argument in direct)
        keys = pe.create_decryption_properties(key, aad_prefix=prefix)
    else:
        factory = pe.CryptoFactory(lambda _: Told())
        keys = factory.file_decryption_properties(pe.KmsConnectionConfig())
    table = pq.ParquetFile(path, decryption_properties=keys, page_checksum_verification=True).read()
    print(
        json.dumps(
            {
                "rows": table.num_rows,
                "ids": pc.sum(table["id"]).as_py(),
                "last_note": table["note"][-1].as_py(),
            }
        )
    )


if __name__ == "__main__":
    ending.run(main)
