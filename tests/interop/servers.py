"""Real calendar servers, each started as its own processes on loopback in a folder of its own, and ended with it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

USERS = ("alice", "bob")
PASSWORD = "demo"
PGUSER = "postgres"


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, all of them at once so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Server:
    """One server: what an administrator tells the gateway about it, and where each user's calendar lies."""

    name = ""
    profile = ""
    settings = ""  # more of [[server]]
    home = "/{user}/"
    calendar = "/{user}/calendar/"
    base = "/"
    needs: Mapping[str, str] = {}  # program -> Debian package
    lengthless = True  # it takes an event that ends when it begins
    copies = True  # it takes a UID in two calendars of one user
    manages = False  # attachments (RFC 8607)
    headers = False  # the user is named by a header, and no password is asked

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"imip-{self.name}-"))
        self.folder.chmod(0o755)  # servers run as users of their own
        self.port, *self.more_ports = free_ports(4)
        self.url = f"http://127.0.0.1:{self.port}{self.base}"
        self.users = USERS
        self.log = self.folder / "log"
        self._children: list[subprocess.Popen[bytes]] = []
        try:
            self.start()
            self.wait()
            self.furnish()
            self.check()
        except BaseException:
            self.stop()
            raise

    @classmethod
    def missing(cls) -> str:
        """What has to be installed, or ""."""
        packages = sorted({package for program, package in cls.needs.items() if not _there(program)})
        if packages:
            return f"{cls.name}: install {' '.join(packages)} (make interop does, as root)"
        return f"{cls.name}: must be started as root" if cls.needs and os.geteuid() != 0 else ""

    def start(self) -> None:
        raise NotImplementedError

    def furnish(self) -> None:
        """Users and calendars, once it answers."""
        for user in self.users:
            with self.client(user) as client:
                client.request("MKCALENDAR", self.path(user))

    def check(self) -> None:
        """Every user's calendar is there before the first scenario begins."""
        for user in self.users:
            with self.client(user) as client:
                found = client.request("PROPFIND", self.path(user), headers={"Depth": "0"})
            assert found.status_code == 207, (
                f"{self.name}, calendar of {user}: {found.status_code} {found.text}"
            )

    def version(self) -> str:
        raise NotImplementedError

    def lock_out(self, user: str) -> None:
        """His password is deleted."""
        raise NotImplementedError

    def let_in(self, user: str) -> None:
        """He has it again."""
        raise NotImplementedError

    def path(self, user: str) -> str:
        return self.calendar.format(user=user)

    def client(self, user: str) -> httpx.Client:
        origin = f"http://127.0.0.1:{self.port}/"
        fresh = httpx.Limits(max_keepalive_connections=0)  # sogod closes without saying so
        if self.headers:
            return httpx.Client(base_url=origin, headers={"X-Remote-User": user}, timeout=60, limits=fresh)
        return httpx.Client(base_url=origin, auth=(user, PASSWORD), timeout=60, limits=fresh)

    def run(self, *command: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A process of ours, in the foreground of its own."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(one) for one in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # a Cyrus that ends ends its process group, another Cyrus with it
            )
        self._children.append(child)
        return child

    def do(self, *command: object, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """A command that must succeed; its output."""
        words = [str(one) for one in command]
        done = subprocess.run(
            words,
            input=stdin.encode(),
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
        )
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, f"{words}: {output}"
        return output

    def wait(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            ended = [one for one in self._children if one.poll() is not None]
            assert not ended, f"{ended[0].args} ended:\n{self.log.read_text()[-4000:]}"
            try:
                reply = httpx.get(self.url, timeout=5)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if reply.status_code < 500:  # a web server is up before what answers behind it
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not answer:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        for child in reversed(self._children):
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Radicale(Server):
    name = profile = "radicale"

    def start(self) -> None:
        self._passwords(self.users)
        (self.folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self.folder}/users\nhtpasswd_encryption = plain\n"
            f"[storage]\nfilesystem_folder = {self.folder}/collections\n[logging]\nlevel = warning\n"
        )
        self.run(sys.executable, "-m", "radicale", "--config", self.folder / "config")

    def _passwords(self, users: Sequence[str]) -> None:
        (self.folder / "users").write_text("".join(f"{user}:{PASSWORD}\n" for user in users))

    def lock_out(self, user: str) -> None:
        self._passwords([one for one in self.users if one != user])

    def let_in(self, user: str) -> None:
        self._passwords(self.users)

    def version(self) -> str:
        return importlib.metadata.version("radicale")


class Xandikos(Server):
    name = profile = "xandikos"
    settings = 'profile = "xandikos"\nauth = "header"\n'
    calendar = "/{user}/calendars/calendar/"
    headers = True

    def start(self) -> None:
        (self.folder / "data").mkdir()
        where = ["-d", "data", "--defaults", "--state-dir", "state", "-l", "127.0.0.1", "-p", self.port]
        self.run(
            *(sys.executable, "-m", "xandikos", "multi-user", "--no-detect-systemd", *where),
            *("--trust-x-remote-user-from", "127.0.0.1"),
        )

    def furnish(self) -> None:
        for user in self.users:
            body = (
                '<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>'
                f"<c:calendar-user-address-set><d:href>mailto:{user}@example.org</d:href></c:calendar-user-address-set>"
                "</d:prop></d:set></d:propertyupdate>"
            )
            with self.client(user) as client:
                client.request("PROPFIND", f"/{user}/", headers={"Depth": "0"})
                typed = {"Content-Type": "application/xml"}
                client.request("PROPPATCH", f"/{user}/", content=body.encode(), headers=typed)

    def version(self) -> str:
        return importlib.metadata.version("xandikos")


class Cyrus(Server):
    """As the documentation asks: `caldav_allowscheduling: off`, so that the gateway is the only sender."""

    name = "cyrus"
    profile = "cyrus"
    lengthless = False
    copies = False
    manages = True
    settings = 'profile = "full"\n'
    home = "/dav/calendars/user/{user}/"
    calendar = "/dav/calendars/user/{user}/Default/"
    needs = {
        "/usr/sbin/cyrmaster": "cyrus-imapd",
        "/usr/lib/cyrus/bin/httpd": "cyrus-caldav",
        "/usr/sbin/saslpasswd2": "sasl2-bin",
    }

    def start(self) -> None:
        folder = self.folder
        for one in ("lib", "spool", "sieve", "run", "lock", "proc", "sock"):
            (folder / one).mkdir()
        self.imap = self.more_ports[0]
        (folder / "imapd.conf").write_text(
            f"configdirectory: {folder}/lib\ndefaultpartition: default\npartition-default: {folder}/spool\n"
            f"proc_path: {folder}/proc\nmboxname_lockpath: {folder}/lock\nsievedir: {folder}/sieve\n"
            f"idlesocket: {folder}/sock/idle\nnotifysocket: {folder}/sock/notify\nlmtpsocket: {folder}/sock/lmtp\n"
            "servername: example.org\nadmins: cyrus\naltnamespace: yes\nunixhierarchysep: yes\nvirtdomains: off\n"
            "autocreate_quota: 0\nautocreate_post: 1\nallowplaintext: yes\nsasl_mech_list: PLAIN LOGIN\n"
            f"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {folder}/sasldb2\n"
            "httpmodules: caldav\ncaldav_allowscheduling: off\ncalendar_user_address_set: example.org\n"
            "sync_log: 0\nsyslog_prefix: interop\n"
        )
        conf = folder / "imapd.conf"
        (folder / "cyrus.conf").write_text(
            f'START {{\n  recover cmd="ctl_cyrusdb -C {conf} -r"\n}}\nSERVICES {{\n'
            f'  http cmd="httpd -C {conf}" listen="127.0.0.1:{self.port}" prefork=1 maxchild=40\n'
            f'  imap cmd="imapd -C {conf}" listen="127.0.0.1:{self.imap}" prefork=0 maxchild=10\n}}\nEVENTS {{\n}}\n'
        )
        for user in self.users:
            self.let_in(user)
        self.do("chown", "-R", "cyrus:mail", folder)
        self.run(
            "/usr/sbin/cyrmaster", "-C", conf, "-M", folder / "cyrus.conf", "-p", folder / "run/pid", "-D"
        )

    def let_in(self, user: str) -> None:
        self.do(*self._saslpasswd, "-p", "-c", user, stdin=PASSWORD)
        shutil.chown(self.folder / "sasldb2", "cyrus", "mail")

    def lock_out(self, user: str) -> None:
        self.do(*self._saslpasswd, "-d", user)

    @property
    def _saslpasswd(self) -> tuple[object, ...]:
        return ("saslpasswd2", "-f", self.folder / "sasldb2", "-u", "example.org")

    def furnish(self) -> None:
        import imaplib

        for user in self.users:  # the first login makes the mailbox, the first request the calendars
            with imaplib.IMAP4("127.0.0.1", self.imap) as box:
                box.login(user, PASSWORD)
            with self.client(user) as client:
                client.request("PROPFIND", self.home.format(user=user), headers={"Depth": "0"})

    def version(self) -> str:
        return _debian("cyrus-imapd")


class _OnPostgreSQL(Server):
    """A server with a PostgreSQL cluster of its own, on a unix socket in its folder."""

    def begin(self, *options: str) -> None:
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.sock = self.folder / "pg"
        self.sock.mkdir()
        shutil.chown(self.sock, PGUSER)
        as_user = ("setpriv", "--reuid", PGUSER, "--regid", PGUSER, "--init-groups")
        data = self.sock / "data"
        self.do(
            *as_user, programs / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"
        )
        words = ("-c", "fsync=off", "-c", "max_connections=100", *options)
        self.run(*as_user, programs / "postgres", "-D", data, "-k", self.sock, *words)
        for _ in range(300):
            if (self.sock / f".s.PGSQL.{self.pgport}").exists():
                break
            time.sleep(0.1)
        self.psql("postgres", "select 1")

    pgport = "5432"

    @property
    def pgenv(self) -> dict[str, str]:
        return {"PGHOST": str(self.sock), "PGUSER": PGUSER, "PGPORT": self.pgport}

    def psql(self, database: str, *statements: str) -> None:
        for _ in range(100):
            done = subprocess.run(
                ["psql", "-d", database, "-Atqc", "select 1"],
                capture_output=True,
                env={**os.environ, **self.pgenv},
            )
            if done.returncode == 0:
                break
            time.sleep(0.1)
        for one in statements:
            self.do("psql", "-v", "ON_ERROR_STOP=1", "-d", database, "-qc", one, env=self.pgenv)


class DAViCal(_OnPostgreSQL):
    """nginx, php-fpm and PostgreSQL of its own; `iMIP->send_email` unset."""

    name = profile = "davical"
    settings = 'profile = "davical"\n'
    base = "/caldav.php/"
    home = "/caldav.php/{user}/"
    calendar = "/caldav.php/{user}/calendar/"
    needs = {
        "/usr/share/davical/htdocs/caldav.php": "davical",
        "/usr/sbin/php-fpm8.2": "php8.2-fpm",
        "/usr/sbin/nginx": "nginx-light",
        "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
    }

    def start(self) -> None:
        self.begin("-c", "listen_addresses=")
        self.do("chmod", "-R", "a+rX", self.folder)
        create = "/usr/share/davical/dba/create-database.sh"
        self.do(
            *("setpriv", "--reuid", PGUSER, "--regid", PGUSER, "--init-groups", create, "davical", PASSWORD),
            env={**self.pgenv, "TMPDIR": str(self.sock), "HOME": str(self.sock)},
        )
        for user in self.users:
            self.psql(
                "davical",
                "insert into usr (username, password, fullname, email, active)"
                f" values ('{user}', '**{PASSWORD}', '{user}', '{user}@example.org', true)",
                "insert into principal (type_id, user_no, displayname, default_privileges) select 1, user_no, fullname,"
                " privilege_to_bits(array['read-free-busy','schedule-send','schedule-deliver'])"
                f" from usr where username = '{user}'",
            )
        self._web()

    def _web(self) -> None:
        """DAViCal reads /etc/davical/NAME-conf.php; a name that leads into our folder leaves /etc alone."""
        www = self.folder / "www"
        www.mkdir()
        site = "/usr/share/davical"
        (self.folder / "davical-conf.php").write_text(
            "<?php\n$_SERVER['SERVER_NAME'] = '127.0.0.1';\n"
            f"$c->pg_connect[] = 'dbname=davical user=davical_app host={self.sock}';\n"
            "$c->system_name = 'interop'; $c->admin_email = 'admin@example.org'; $c->default_locale = 'en';\n"
        )
        self.do("chown", "-R", "www-data", www)
        (self.folder / "fpm.conf").write_text(
            f"[global]\nerror_log = {www}/fpm.log\ndaemonize = no\n[interop]\nuser = www-data\ngroup = www-data\n"
            f"listen = {www}/fpm.sock\nlisten.owner = www-data\npm = static\npm.max_children = 4\n"
            f"php_admin_value[error_log] = {www}/php.log\nphp_admin_flag[log_errors] = on\n"
            "php_admin_flag[display_errors] = off\nphp_admin_value[memory_limit] = 512M\n"
            f"php_admin_value[post_max_size] = 0\nphp_admin_value[sys_temp_dir] = {www}\n"
            f"php_admin_value[sendmail_path] = /bin/false\n"
            f"php_admin_value[include_path] = /usr/share/awl/inc:{site}/inc:/usr/share/php:.\n"
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off; user www-data; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;\n"
            "events { worker_connections 128; }\nhttp { access_log off; client_max_body_size 200m;\n"
            + "".join(
                f"{one}_temp_path {www}/{one};\n"
                for one in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi")
            )
            + f"server {{ listen 127.0.0.1:{self.port}; root {site}/htdocs;\n"
            "location /.well-known/ { rewrite ^ /caldav.php$uri last; }\n"
            "location ~ ^(?<script>/[^/]+\\.php)(?<pi>/.*)?$ {\n"
            f"fastcgi_pass unix:{www}/fpm.sock; include /etc/nginx/fastcgi_params;\n"
            f"fastcgi_param SERVER_NAME ../..{self.folder}/davical;\n"
            "fastcgi_param SCRIPT_FILENAME $document_root$script;\n"
            "fastcgi_param SCRIPT_NAME $script; fastcgi_param PATH_INFO $pi; } } }\n"
        )
        self.run("/usr/sbin/php-fpm8.2", "-F", "-y", self.folder / "fpm.conf")
        self.run("/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "nginx.log")

    def lock_out(self, user: str) -> None:
        self.psql("davical", f"update usr set password = '' where username = '{user}'")

    def let_in(self, user: str) -> None:
        self.psql("davical", f"update usr set password = '**{PASSWORD}' where username = '{user}'")

    def version(self) -> str:
        return _debian("davical")


class SOGo(_OnPostgreSQL):
    """sogod with its own PostgreSQL and memcached; `SOGoAppointmentSendEMailNotifications = NO`."""

    name = "sogo"
    profile = "sogo"
    settings = 'profile = "full"\n'
    base = "/SOGo/dav/"
    home = "/SOGo/dav/{user}/Calendar/"
    calendar = "/SOGo/dav/{user}/Calendar/personal/"
    needs = {
        "/usr/sbin/sogod": "sogo",
        "/usr/bin/memcached": "memcached",
        "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
    }

    def start(self) -> None:
        self.pgport = str(self.more_ports[0])
        self.begin("-c", "listen_addresses=127.0.0.1", "-c", f"port={self.pgport}")
        home = self.folder / "home"
        home.mkdir()
        self.psql("postgres", "create role sogo login password 'sogo'")
        self.psql("postgres", "create database sogo owner sogo encoding 'UTF8' template template0")
        self.psql(
            "sogo",
            "create table sogo_users (c_uid varchar(60) primary key, c_name varchar(60), c_password varchar(100),"
            " c_cn varchar(100), mail varchar(100))",
            "alter table sogo_users owner to sogo",
            *(
                f"insert into sogo_users values ('{user}', '{user}', '{PASSWORD}', '{user}', '{user}@example.org')"
                for user in self.users
            ),
        )
        shutil.chown(home, "sogo", "sogo")
        base = f"postgresql://sogo:sogo@127.0.0.1:{self.pgport}/sogo"
        source = (
            f'( {{ type = sql; id = users; viewURL = "{base}/sogo_users"; canAuthenticate = YES;'
            " isAddressBook = YES; displayName = Users; userPasswordAlgorithm = plain; } )"
        )
        settings = {
            "WONoDetach": "YES",
            "WOPidFile": home / "sogod.pid",
            "WOLogFile": "-",
            "WOPort": f"127.0.0.1:{self.port}",
            "WOWorkersCount": "4",
            "SOGoProfileURL": f'"{base}/sogo_user_profile"',
            "OCSFolderInfoURL": f'"{base}/sogo_folder_info"',
            "OCSSessionsFolderURL": f'"{base}/sogo_sessions_folder"',
            "OCSEMailAlarmsFolderURL": f'"{base}/sogo_alarms_folder"',
            "SOGoMemcachedHost": f'"{home}/mc.sock"',
            "SOGoAppointmentSendEMailNotifications": "NO",
            "SOGoMailingMechanism": "smtp",
            "SOGoSMTPServer": '"smtp://127.0.0.1:1"',
            "SOGoMailSpoolPath": f'"{home}"',
            "SOGoTimeZone": "UTC",
            "SOGoMailDomain": '"example.org"',
            "SOGoSieveScriptsEnabled": "NO",
            "SOGoIMAPServer": '"imap://127.0.0.1:1"',
            "SOGoUserSources": source,
        }
        self.run("/usr/bin/memcached", "-u", "sogo", "-m", "64", "-s", home / "mc.sock", "-a", "0777")
        words = [str(word) for name, value in settings.items() for word in (f"-{name}", value)]
        self.run(
            *("setpriv", "--reuid", "sogo", "--regid", "sogo", "--init-groups", "/usr/sbin/sogod", *words),
            env={"HOME": str(home)},
        )

    def furnish(self) -> None:
        for user in self.users:
            with self.client(user) as client:
                client.request("PROPFIND", self.home.format(user=user), headers={"Depth": "1"})

    def lock_out(self, user: str) -> None:
        self.psql("sogo", f"update sogo_users set c_password = '' where c_uid = '{user}'")
        self._forget()

    def let_in(self, user: str) -> None:
        self.psql("sogo", f"update sogo_users set c_password = '{PASSWORD}' where c_uid = '{user}'")
        self._forget()

    def _forget(self) -> None:
        """It remembers logins in memcached."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self.folder / "home/mc.sock"))
            wire.sendall(b"flush_all\r\n")
            assert wire.recv(100) == b"OK\r\n"

    def version(self) -> str:
        return _debian("sogo")


def _there(program: str) -> bool:
    return Path(program).exists()


def _debian(package: str) -> str:
    """The upstream part of the installed version."""
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, check=True)
    return re.split(r"[-+~]", found.stdout.decode())[0]


SERVERS: dict[str, type[Server]] = {one.name: one for one in (Radicale, Xandikos, Cyrus, DAViCal, SOGo)}


def packages() -> Sequence[str]:
    """What `make interop` installs."""
    return sorted({package for one in SERVERS.values() for package in one.needs.values()} | {"php8.2-pgsql"})


if __name__ == "__main__":
    print(*(packages() if any(one.missing() for one in SERVERS.values()) else ()))
