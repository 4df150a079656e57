# restic
export RESTIC_REPOSITORY="s3:$AWS_ENDPOINT_URL/backup" RESTIC_PASSWORD=choose-one
restic init
restic backup ./pictures
restic check --read-data
restic restore latest --target ./restored
restic forget --keep-last 1 --prune
