"""A worker like the one in Go, as a program of Python: what it holds is drawn at its start."""
import hashlib, http.server, json, os, secrets, socket, threading, time

VOLUMES = ["/data", "/dev/shm"]


def create(path):
    file = open(path, "w+")
    file.write(path + " " + secrets.token_hex() + "\n")
    file.flush()
    return file


boot = secrets.token_hex()
# Objects of an interpreter, in which references lead to each other.
heap = {i: [secrets.token_bytes(1000), str(i)] for i in range(int(os.environ["HEAP_MB"]) * 1000)}
changed, volume, deleted, shared = map(create, ["/state/changed", "/data/volume", "/state/deleted", "/dev/shm/shared"])
os.remove("/state/deleted")
os.remove("/state/of-the-image")
for folder in VOLUMES:
    open(os.path.join(folder, "boot-" + boot), "w").close()
count = 0


def tick():
    global count
    while True:
        time.sleep(0.05)
        count += 1
        if count % 10 == 0:
            print("tick", count, flush=True)


def child(ask, answer):
    for n, _ in enumerate(os.fdopen(ask), 1):
        os.write(answer, b"%d\n" % n)
    os._exit(0)


ask_read, ask = os.pipe()
answer, answer_write = os.pipe()
if os.fork() == 0:
    os.close(ask)
    child(ask_read, answer_write)
answers = os.fdopen(answer)
threading.Thread(target=tick, daemon=True).start()


def content(file):
    return os.pread(file.fileno(), 1 << 20, 0).decode().strip()


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def state():
    digest = hashlib.sha256()
    for i, (data, name) in heap.items():
        assert name == str(i)
        digest.update(data)
    os.write(ask, b"\n")
    return {
        "boot": boot, "count": count, "heap": digest.hexdigest(), "changed": content(changed), "volume": content(volume),
        "deleted": content(deleted), "shared": content(shared), "gone": not os.path.exists("/state/of-the-image"),
        "child": answers.readline().strip(), "restored": os.path.exists("/tmp/dynamo-restored"), "signal": read("/signal/answer"),
        "host": socket.gethostname(), "pid": os.getpid(),
        "found": [f.removeprefix("boot-") for d in VOLUMES for f in os.listdir(d) if f.startswith("boot-")],
    }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(state()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.HTTPServer(("", 8080), Handler).serve_forever()
