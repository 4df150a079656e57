# s3cmd
s3cmd() {
  command s3cmd --access_key="$AWS_ACCESS_KEY_ID" --secret_key="$AWS_SECRET_ACCESS_KEY" --region=us-east-1 --no-ssl \
    --host="${AWS_ENDPOINT_URL#http://}" --host-bucket="${AWS_ENDPOINT_URL#http://}" "$@"
}
s3cmd mb s3://s3cmd-photos
s3cmd sync ./pictures/ s3://s3cmd-photos/2026/
s3cmd get s3://s3cmd-photos/2026/a.jpg again.jpg
