# The bucket: private, encrypted, nothing stays for ever.

resource "aws_s3_bucket" "pipes" {
  bucket        = var.bucket
  bucket_prefix = var.bucket == null ? "${var.name}-" : null
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "pipes" {
  bucket                  = aws_s3_bucket.pipes.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "pipes" {
  bucket = aws_s3_bucket.pipes.id

  rule {
    object_ownership = "BucketOwnerEnforced" # no ACLs: the policies here are all there is
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "pipes" {
  bucket = aws_s3_bucket.pipes.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null # else every chunk would cost a request to KMS

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# A versioned bucket would keep what clean-up deletes, and bill it.
resource "aws_s3_bucket_versioning" "pipes" {
  bucket = aws_s3_bucket.pipes.id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "pipes" {
  bucket = aws_s3_bucket.pipes.id

  rule {
    id     = "old-sessions"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}/"
    }

    expiration {
      days = var.retention_days
    }
  }

  rule {
    id     = "abandoned-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_logging" "pipes" {
  count = var.access_log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.pipes.id
  target_bucket = var.access_log_bucket
  target_prefix = "${aws_s3_bucket.pipes.id}/"
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.pipes.arn, "${aws_s3_bucket.pipes.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "pipes" {
  bucket     = aws_s3_bucket.pipes.id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.pipes]
}
