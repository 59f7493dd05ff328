# Set TF_CONFIG for one of several workers, from HOSTS (the names of all) and INDEX (the number of this one). Source it:
#   HOSTS="host0 host1" INDEX=0; . launch/tf_config.sh
PORT=${TFRESPAM_PORT:-29400}
WORKERS_LIST=
for host in $HOSTS; do WORKERS_LIST="$WORKERS_LIST${WORKERS_LIST:+, }\"$host:$PORT\""; done
TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS_LIST]}, \"task\": {\"type\": \"worker\", \"index\": $INDEX}}"
export TF_CONFIG
