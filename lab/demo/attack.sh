#!/bin/sh
# Harmless look-alikes of what an attacker does first in a container. Everything stays inside the container; the
# "scanner" and the "miner" are copies of a program that prints its arguments. `record` runs this.
cat /etc/shadow > /dev/null

cp /tools/echo-program /bin/hello
chmod 0755 /bin/hello
/bin/hello hello-world

cp /tools/echo-program /bin/nmap
/bin/nmap -v 127.0.0.1

cat /var/run/secrets/kubernetes.io/serviceaccount/token > /dev/null

mkdir -p /root/.ssh
echo 'ssh-ed25519 AAAA demo' >> /root/.ssh/authorized_keys
echo '* * * * * root true' > /etc/cron.d/demo

cp /tools/echo-program /dev/shm/kworker
/dev/shm/kworker -o stratum+tcp://127.0.0.1:3333 -u demo

cp /tools/echo-program /tmp/xmrig
/tmp/xmrig --donate-level 1

: > /var/log/auth.log
rm -f /root/.bash_history
