# Keeps one PostgreSQL server: does what its lines of input say, answers each with `done`, and ends the
# server when there are no more lines: that is also when the program that asks has ended, however it did.
#
# keeper BIN FOLDER PRIMARY SETTINGS [OPTION …]: where PostgreSQL's programs are, where everything is put, the connection to the server
# that it is to be a standby of (empty if it is none), its settings, and options of initdb, if it is none.
bin=$1 folder=$2 primary=$3 settings=$4
shift 4

start() {
    "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -o "$settings" start >/dev/null 2>&1 || { cat "$folder/log"; exit 1; }
}
stop() { "$bin/pg_ctl" -D "$folder/data" -m "$1" -w stop >/dev/null; }
postmaster() { head -n 1 "$folder/data/postmaster.pid"; }
signal() { kill -s "$1" "$(postmaster)" $(pgrep -P "$(postmaster)"); }
# A process that nobody has waited for yet is gone as well, although its number is taken: for that, PostgreSQL would not start
# where it finds one of its two lock files.
gone() { ! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; }
end() {
    all="$(postmaster) $(pgrep -P "$(postmaster)")"
    kill -9 "$(postmaster)"
    for each in $all; do until gone "$each"; do sleep 0.1; done; done
    rm -f "$folder/data/postmaster.pid" "$folder"/.s.PGSQL.*
}

if [ -n "$primary" ]; then
    "$bin/pg_basebackup" --checkpoint=fast -D "$folder/data" -R -d "$primary" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
else
    "$bin/initdb" -D "$folder/data" -U postgres -A trust --no-sync "$@" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
fi
start
echo done
while read -r word; do
    case $word in
        start) start ;;
        kill) end ;;
        freeze) signal STOP ;;
        thaw) signal CONT ;;
        promote) "$bin/pg_ctl" -D "$folder/data" -w promote >/dev/null ;;
        *) stop "$word" ;;
    esac
    echo done
done
# What is frozen hears nothing else.
signal CONT 2>/dev/null
stop immediate 2>/dev/null
