# rclone
export RCLONE_CONFIG_CAIRN_TYPE=s3 RCLONE_CONFIG_CAIRN_PROVIDER=Other RCLONE_CONFIG_CAIRN_ENV_AUTH=true
export RCLONE_CONFIG_CAIRN_ENDPOINT="$AWS_ENDPOINT_URL" RCLONE_CONFIG_CAIRN_REGION=us-east-1
rclone mkdir cairn:rclone-photos
rclone sync ./pictures cairn:rclone-photos/2026
rclone check --download ./pictures cairn:rclone-photos/2026
