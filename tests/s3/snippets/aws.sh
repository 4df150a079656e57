# aws
aws --endpoint-url "$AWS_ENDPOINT_URL" s3 mb s3://aws-photos
aws --endpoint-url "$AWS_ENDPOINT_URL" s3 sync ./pictures s3://aws-photos/2026
aws --endpoint-url "$AWS_ENDPOINT_URL" s3 cp s3://aws-photos/2026/a.jpg s3://aws-photos/copy.jpg
