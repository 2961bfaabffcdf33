# keeper BIN FOLDER OPTIONS…: a PostgreSQL server for tests and benchmarks, in a folder of its own.
#
# Does what its lines of input say, and ends the server and its folder when there are no more: that is also when the program that
# started it has ended, however it did.
bin=$1 folder=$2; shift 2
start() { "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -o "$*" start >/dev/null || { cat "$folder/log"; exit 1; }; }
"$bin/initdb" -D "$folder/data" -U postgres -A trust --no-sync >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
start "$@"; echo done
while read -r line; do
    case $line in
        start) start "$@" ;;
        *) "$bin/pg_ctl" -D "$folder/data" -m "$line" -w stop >/dev/null ;;
    esac
    echo done
done
"$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1
rm -rf "$folder"
