// @aws-sdk/lib-storage: a stream of unknown length
import { createReadStream } from "node:fs";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const s3 = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", forcePathStyle: true });
await s3.send(new CreateBucketCommand({ Bucket: "films" }));
await new Upload({
  client: s3,
  params: { Bucket: "films", Key: "film.mp4", Body: createReadStream("film.mp4") },
}).done();
