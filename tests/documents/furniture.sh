# Lays out the host that the documents' examples are typed on: Debian's logrotate stanzas in small, a few logs with
# something in them, and a web server whose log no stanza covers.
mkdir -p /etc/logrotate.d /etc/telltale /etc/logcheck /var/log/nginx /opt/shop/log /var/lib/logrotate
cat > /etc/logrotate.conf <<'CONF'
weekly
rotate 4
create
include /etc/logrotate.d
CONF
cat > /etc/logrotate.d/nginx <<'CONF'
/var/log/nginx/*.log {
    daily
    rotate 14
    compress
    delaycompress
    missingok
    notifempty
    create 0640 root adm
}
CONF
cat > /etc/logrotate.d/rsyslog <<'CONF'
/var/log/syslog
/var/log/auth.log
{
    weekly
    rotate 4
    maxsize 100M
    missingok
    notifempty
    compress
}
CONF
head -c 200000 /dev/zero | tr '\0' 'x' | fold -w 99 > /var/log/nginx/access.log
chmod 640 /var/log/nginx/access.log
cat > /var/log/auth.log <<'LOG'
Nov 22 10:00:01 web1 CRON[811]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
Nov 22 10:00:02 web1 CRON[811]: pam_unix(cron:session): session closed for user root
Nov 22 10:02:11 web1 sshd[902]: Accepted publickey for anna from 192.0.2.10 port 50222 ssh2: ED25519 SHA256:m0dLrVbWqUeFz1x7n2c9s4p8
Nov 22 10:05:40 web1 sudo: mallory : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/mallory ; USER=root ; COMMAND=/bin/sh
Nov 22 10:06:02 web1 kernel: EXT4-fs error (device sda1): ext4_lookup:1785: inode #131: deleted inode referenced: 132
LOG
cp /var/log/auth.log /var/log/syslog
printf '/var/log/syslog\n/var/log/auth.log\n' > /etc/logcheck/logcheck.logfiles
