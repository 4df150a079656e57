// @aws-sdk/client-s3
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

// The key is taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
const s3 = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket: "sdk-photos" }));
await s3.send(new PutObjectCommand({ Bucket: "sdk-photos", Key: "2026/cairn.jpg", Body: "a picture" }));
