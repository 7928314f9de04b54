# Two sets of permissions. A job creates and reads objects under the prefix: it cannot delete, overwrite, or look
# anywhere else. The orchestrator has the whole prefix, and may launch and end machines that carry the job's role.

locals {
  objects    = "${aws_s3_bucket.pipes.arn}/${var.prefix}/*"
  names      = ["${var.prefix}/*", "${var.prefix}/"]
  partition  = data.aws_partition.this.partition
  region     = data.aws_region.this.name
  account    = data.aws_caller_identity.this.account_id
  arn_prefix = "arn:${local.partition}"
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

# --- the job ---

data "aws_iam_policy_document" "job" {
  statement {
    sid       = "Create"
    actions   = ["s3:PutObject"]
    resources = [local.objects]

    dynamic "condition" {
      for_each = var.create_only ? [1] : []

      content {
        test     = "Null" # the request must carry If-None-Match, so it can never overwrite
        variable = "s3:if-none-match"
        values   = ["false"]
      }
    }
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [local.objects]
  }

  statement {
    sid       = "List" # without it S3 answers 403 for an absent object, which looks like a refusal
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.pipes.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = local.names
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "Key"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "job_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = var.batch ? ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"] : ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "job" {
  name               = "${var.name}-job"
  description        = "What a job of blobpipes may do"
  assume_role_policy = data.aws_iam_policy_document.job_trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "job" {
  name   = "session"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

resource "aws_iam_role_policy_attachment" "job" {
  for_each = toset(var.job_policy_arns)

  role       = aws_iam_role.job.name
  policy_arn = each.value
}

resource "aws_iam_instance_profile" "job" {
  name = "${var.name}-job"
  role = aws_iam_role.job.name
  tags = var.tags
}

# --- the orchestrator ---

data "aws_iam_policy_document" "orchestrator" {
  statement {
    sid       = "Sessions"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    resources = [local.objects]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.pipes.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = local.names
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "Key"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "LaunchFromTheTemplate"
    actions   = ["ec2:RunInstances"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:LaunchTemplate"
      values   = [aws_launch_template.job.arn]
    }
  }

  statement {
    sid       = "TagWhileLaunching"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.arn_prefix}:ec2:${local.region}:${local.account}:*/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  statement {
    sid       = "EndItsMachines"
    actions   = ["ec2:TerminateInstances", "ec2:GetConsoleOutput"]
    resources = ["${local.arn_prefix}:ec2:${local.region}:${local.account}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/blobpipes:stack"
      values   = [var.name]
    }
  }

  statement {
    sid       = "SeeMachines" # these actions know no resources
    actions   = ["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeLaunchTemplateVersions"]
    resources = ["*"]
  }

  statement {
    sid       = "FindTheImage"
    actions   = ["ssm:GetParameters"]
    resources = ["${local.arn_prefix}:ssm:${local.region}::parameter/aws/service/*"] # public ones
  }

  statement {
    sid       = "HandOverTheJobsRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.job.arn]
  }

  dynamic "statement" {
    for_each = aws_batch_job_queue.jobs

    content {
      sid     = "Queue"
      actions = ["batch:SubmitJob", "batch:TerminateJob", "batch:CancelJob", "batch:TagResource"]
      resources = [
        statement.value.arn,
        "${local.arn_prefix}:batch:${local.region}:${local.account}:job/*",
        "${local.arn_prefix}:batch:${local.region}:${local.account}:job-definition/${var.name}-job",
        "${local.arn_prefix}:batch:${local.region}:${local.account}:job-definition/${var.name}-job:*",
      ]
    }
  }

  dynamic "statement" {
    for_each = aws_batch_job_queue.jobs

    content {
      sid       = "SeeJobs" # these actions know no resources
      actions   = ["batch:DescribeJobs", "batch:ListJobs", "batch:DescribeJobQueues", "batch:DescribeJobDefinitions"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_policy" "orchestrator" {
  name        = "${var.name}-orchestrator"
  description = "What the orchestrator of blobpipes may do"
  policy      = data.aws_iam_policy_document.orchestrator.json
  tags        = var.tags
}

data "aws_iam_policy_document" "orchestrator_trust" {
  count = length(var.orchestrator_trusted_arns) > 0 ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.orchestrator_trusted_arns
    }
  }
}

resource "aws_iam_role" "orchestrator" {
  count = length(var.orchestrator_trusted_arns) > 0 ? 1 : 0

  name               = "${var.name}-orchestrator"
  description        = "Taken by the process that launches jobs of blobpipes"
  assume_role_policy = data.aws_iam_policy_document.orchestrator_trust[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "orchestrator" {
  count = length(var.orchestrator_trusted_arns) > 0 ? 1 : 0

  role       = aws_iam_role.orchestrator[0].name
  policy_arn = aws_iam_policy.orchestrator.arn
}
