# s3fs (needs /dev/fuse; the bucket must be there)
mkdir -p mounted
s3fs main ./mounted -o url="$AWS_ENDPOINT_URL" -o use_path_request_style -o endpoint=us-east-1
cp ./pictures/a.jpg ./mounted/from-s3fs.jpg
cmp ./pictures/a.jpg ./mounted/from-s3fs.jpg
fusermount -u ./mounted
