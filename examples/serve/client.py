"""Labels of pictures from `mobilenet serve`, with nothing but Python's own library.

    python3 client.py http://127.0.0.1:8080 cat.jpg dog.jpg
"""

import http.client
import json
import os
import sys
import time
import urllib.parse


def classify(connection, picture, k=5, token=None):
    """The row of a picture: its predictions, or its error."""
    headers = {"Content-Type": "application/octet-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    while True:
        connection.request("POST", f"/v1/classify?k={k}", body=picture, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 503:
            break
        # The queue is full: come again.
        time.sleep(int(response.headers.get("Retry-After", 1)))
    row = json.loads(body)
    if "path" not in row:
        raise RuntimeError(row["error"]["message"])
    return row


def main():
    address, *paths = sys.argv[1:]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    failed = False
    for path in paths:
        with open(path, "rb") as file:
            row = classify(connection, file.read(), k=1, token=os.environ.get("MOBILENET_TOKEN"))
        if row["error"]:
            failed = True
            print(f"{path}: {row['error']['message']}", file=sys.stderr)
        else:
            for prediction in row["predictions"]:
                print(f"{path}\t{prediction['label']}\t{prediction['score']:.4f}")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
