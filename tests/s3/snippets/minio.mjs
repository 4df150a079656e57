// minio
import { Client } from "minio";

const { hostname, port } = new URL(process.env.AWS_ENDPOINT_URL);
const minio = new Client({
  endPoint: hostname,
  port: Number(port),
  useSSL: false,
  accessKey: process.env.AWS_ACCESS_KEY_ID,
  secretKey: process.env.AWS_SECRET_ACCESS_KEY,
});
await minio.makeBucket("minio-photos");
await minio.fPutObject("minio-photos", "film.mp4", "film.mp4");
await minio.fGetObject("minio-photos", "film.mp4", "film-again.mp4");
