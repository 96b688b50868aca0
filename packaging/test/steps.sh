#!/bin/bash
# What the package promises, step by step, in a Debian with systemd. Ends at the first step that fails.
set -euo pipefail
cd /package-test

step() { echo "· $*"; }
fail() { trap - ERR; echo "FAILED: $*" >&2; journalctl --no-pager --unit obol --lines 30 >&2; exit 1; }
set -E
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
same() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
# The command line as docs/deploy-debian.md says it.
admin() { runuser -u obol -- obol --config /etc/obol/obol.toml "$@"; }
await() {
    for _ in $(seq 100); do "$@" > /dev/null 2>&1 && return; sleep 0.1; done
    fail "not within 10 s: $*"
}
URL=http://127.0.0.1:8080
tokens() { curl -sSk "$URL/api/v1/oauth/token/" -d client_id=app "$@"; }
sign_in() { tokens -d grant_type=password -d username=alice -d password="$PASSWORD"; }
verified() { curl -sSk -o /dev/null -w '%{http_code}' "$URL/api/v1/oauth/verify_token/?client_id=app" -H "Authorization: Bearer $1"; }
main_pid() { systemctl show --property MainPID --value obol; }
# Type=notify: when systemctl is back, the server answers; so nothing here waits for it.
ready() { curl -sSfk "$URL/readyz" | jq -e '.promise == "held"' > /dev/null || fail "not ready: $1"; }

step "the version before is installed, and runs at once"
dpkg -i before.deb > /dev/null
systemctl is-enabled --quiet obol && systemctl is-active --quiet obol || fail "neither enabled nor active"
# It may be a version that does not yet say when it is ready.
await curl -sSf "$URL/readyz"
ready "after the installation"
same "the configuration's mode" "$(stat -c '%U:%G %a' /etc/obol/obol.toml)" "root:obol 640"
same "the data's mode" "$(stat -c '%U:%G %a' /var/lib/obol)" "obol:obol 700"

step "a person and an application are added, and tokens issued"
PASSWORD='correct horse battery'
admin user add alice --password-stdin <<< "$PASSWORD" > /dev/null
admin client add --id app --type public --grant password --grant refresh_token > /dev/null
first=$(sign_in)
access=$(jq -er .access_token <<< "$first")
refresh=$(jq -er .refresh_token <<< "$first")
revoked=$(sign_in | jq -er .access_token)
same "verify" "$(verified "$access")" 200
curl -sSf "$URL/api/v1/oauth/revoke_token/" -d client_id=app -d token="$revoked" > /dev/null
same "verify of the revoked one" "$(verified "$revoked")" 401

step "the upgrade keeps tokens alive, what was revoked refused, and the configuration as it was changed"
echo 'display_name = "Our house"' >> /etc/obol/obol.toml
before=$(obol --version; sha256sum < /usr/bin/obol; main_pid)
dpkg -i obol.deb > /dev/null
ready "after the upgrade"
[ "$before" != "$(obol --version; sha256sum < /usr/bin/obol; main_pid)" ] || fail "the same server runs"
same "verify" "$(verified "$access")" 200
same "verify of the revoked one" "$(verified "$revoked")" 401
access=$(tokens -d grant_type=refresh_token -d refresh_token="$refresh" | jq -er .access_token) || fail "no refresh"
grep -q 'Our house' /etc/obol/obol.toml || fail "the configuration was replaced"
admin doctor > /dev/null || fail "$(admin doctor)"

step "the unit is right, and confines the server"
systemd-analyze verify obol.service 2>&1 | tee verify.log
[ ! -s verify.log ] || fail "systemd-analyze verify"
systemd-analyze security --no-pager obol.service | tail -n 1
status=/proc/$(main_pid)/status
same "capabilities" "$(awk '/^CapEff/ { print $2 }' "$status")" 0000000000000400
same "no new privileges, and a filter of system calls" "$(awk '/^(NoNewPrivs|Seccomp):/ { printf "%s", $2 }' "$status")" 12
open_files() { awk '/open files/ { print $5 }' "/proc/$1/limits"; }
most=$(open_files 1)
same "open files" "$(open_files "$(main_pid)")" "$((most < 65536 ? most : 65536))"
journalctl --no-pager --unit obol --output cat | grep -q '"level":"ERROR"' && fail "errors in the log"

step "reload, kill and restart: the service is there again, and so are the tokens"
systemctl reload obol
pid=$(main_pid)
systemctl kill --signal KILL obol
restarted() { [ "$(main_pid)" != "$pid" ] && [ "$(main_pid)" != 0 ] && systemctl is-active --quiet obol; }
await restarted
ready "after it was killed"
same "verify" "$(verified "$access")" 200
systemctl restart obol
ready "after a restart"
same "verify" "$(verified "$access")" 200

step "a stop is clean, also with a delay"
cp /etc/obol/obol.toml obol.toml
echo 'stop_delay_ms = 1000' >> /etc/obol/obol.toml
systemctl restart obol
systemctl stop obol
same "the stop" "$(systemctl show --property Result --value obol)" success
cp obol.toml /etc/obol/obol.toml

step "the port 443, with TLS, without root"
printf '%s\n' 'listen = "127.0.0.1:443"' 'tls_self_signed = true' >> /etc/obol/obol.toml
systemctl start obol
URL=https://127.0.0.1:443
ready "on 443"
same "verify" "$(verified "$access")" 200
URL=http://127.0.0.1:8080

step "the master key outside the data folder: root's, and readable by the server's group"
cp obol.toml /etc/obol/obol.toml
install -o root -g obol -m 0640 /var/lib/obol/master.key /etc/obol/master.key
rm /var/lib/obol/master.key
echo 'master_key_file = "/etc/obol/master.key"' >> /etc/obol/obol.toml
cp /etc/obol/obol.toml obol.toml
systemctl restart obol
ready "with the key elsewhere"
same "verify" "$(verified "$access")" 200

step "keys change while it serves"
admin keys rotate > /dev/null
admin keys rotate --kind signing > /dev/null
same "verify" "$(verified "$access")" 200
admin doctor > /dev/null

step "the master key as a credential of systemd"
sed -i '/^master_key_file/d' /etc/obol/obol.toml
install -d -m 0700 /etc/obol/secrets
install -m 0600 /etc/obol/master.key /etc/obol/secrets/master.key
mkdir -p /etc/systemd/system/obol.service.d
cat > /etc/systemd/system/obol.service.d/master-key.conf <<'UNIT'
[Service]
LoadCredential=master.key:/etc/obol/secrets/master.key
Environment=OBOL_MASTER_KEY_FILE=%d/master.key
UNIT
systemctl daemon-reload
systemctl restart obol
ready "with the credential"
same "verify" "$(verified "$access")" 200
# A command that needs the key is handed it the same way, as docs/deploy-systemd.md says.
systemd-run --quiet --pipe --wait --property User=obol --property LoadCredential=master.key:/etc/obol/secrets/master.key \
    sh -c 'OBOL_MASTER_KEY_FILE=$CREDENTIALS_DIRECTORY/master.key exec obol --config /etc/obol/obol.toml keys rotate' > /dev/null
same "verify" "$(verified "$access")" 200
rm -r /etc/systemd/system/obol.service.d /etc/obol/secrets
systemctl daemon-reload
cp obol.toml /etc/obol/obol.toml
systemctl restart obol
[ ! -e /var/lib/obol/master.key ] || fail "another master key was made"

step "a backup is put back: nothing that was issued comes back with it, and people sign in again"
install -d -o obol -g obol -m 0700 /var/backups/obol
admin backup /var/backups/obol/obol.db > /dev/null
systemctl stop obol
rm /var/lib/obol/obol.db*
admin restore /var/backups/obol/obol.db > /dev/null
systemctl start obol
ready "after the backup was put back"
same "verify" "$(verified "$access")" 401
access=$(sign_in | jq -er .access_token)
same "verify of a new one" "$(verified "$access")" 200
admin doctor > /dev/null

step "behind nginx, with TLS there: the audit trail has the client's address"
mkdir -p /etc/ssl/obol
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=id.example.com \
    -addext subjectAltName=DNS:id.example.com \
    -keyout /etc/ssl/obol/privkey.pem -out /etc/ssl/obol/fullchain.pem 2> /dev/null
cp obol.conf /etc/nginx/conf.d/obol.conf
rm -f /etc/nginx/sites-enabled/default
nginx -t -q
systemctl restart nginx
printf '%s\n' 'issuer = "https://id.example.com"' 'behind_proxy = ["127.0.0.1"]' >> /etc/obol/obol.toml
systemctl restart obol
outside() {
    curl -sS --interface 127.0.0.2 --cacert /etc/ssl/obol/fullchain.pem --resolve id.example.com:443:127.0.0.1 \
        -H 'X-Forwarded-For: 192.0.2.66' "$@"
}
same "the issuer" "$(outside https://id.example.com/.well-known/openid-configuration | jq -r .issuer)" https://id.example.com
outside https://id.example.com/oauth2/token -d grant_type=password -d client_id=app -d username=alice \
    --data-urlencode password="$PASSWORD" | jq -e .access_token > /dev/null || fail "no token through nginx"
address_is_there() { tail -n 1 /var/lib/obol/audit.jsonl | jq -e '.source == "127.0.0.2"'; }
await address_is_there
curl -sS --resolve id.example.com:80:127.0.0.1 -o /dev/null -w '%{redirect_url}\n' http://id.example.com/sessions |
    grep -q -x https://id.example.com/sessions || fail "plain HTTP is not sent to TLS"

step "manual pages and completions are there"
man --where obol obol-serve > /dev/null || fail "no manual page"
bash -n /usr/share/bash-completion/completions/obol
zsh -n /usr/share/zsh/vendor-completions/_obol

step "removed: the data stays, and serves again after a new installation"
dpkg -r obol > /dev/null
[ -e /var/lib/obol/obol.db ] && [ -e /etc/obol/obol.toml ] || fail "removing took what is the operator's"
! systemctl is-active --quiet obol || fail "it still runs"
dpkg -i obol.deb > /dev/null
ready "installed again"
same "verify" "$(verified "$access")" 200

step "purged: nothing is left but what the operator has added"
dpkg -P obol > /dev/null 2>&1
[ ! -e /var/lib/obol ] && [ ! -e /etc/obol/obol.toml ] && [ ! -e /usr/bin/obol ] || fail "something is left"

echo "the package holds"
