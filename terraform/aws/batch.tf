# A queue on spot machines. With no job in it, it has no machine.

data "aws_iam_policy_document" "batch_machine_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# The machine's role is not the job's: it joins the cluster and pulls images, and a job cannot take it.
resource "aws_iam_role" "batch_machine" {
  count = var.batch ? 1 : 0

  name               = "${var.name}-batch-machine"
  description        = "Joins machines to the batch queue of blobpipes"
  assume_role_policy = data.aws_iam_policy_document.batch_machine_trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "batch_machine" {
  count = var.batch ? 1 : 0

  role       = aws_iam_role.batch_machine[0].name
  policy_arn = "${local.arn_prefix}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "batch_machine" {
  count = var.batch ? 1 : 0

  name = "${var.name}-batch-machine"
  role = aws_iam_role.batch_machine[0].name
  tags = var.tags
}

data "aws_iam_policy_document" "batch_service_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["batch.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "batch_service" {
  count = var.batch ? 1 : 0

  name               = "${var.name}-batch-service"
  description        = "With which AWS Batch starts and stops machines for blobpipes"
  assume_role_policy = data.aws_iam_policy_document.batch_service_trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "batch_service" {
  count = var.batch ? 1 : 0

  role       = aws_iam_role.batch_service[0].name
  policy_arn = "${local.arn_prefix}:iam::aws:policy/service-role/AWSBatchServiceRole"
}

resource "aws_batch_compute_environment" "spot" {
  count = var.batch ? 1 : 0

  compute_environment_name_prefix = "${var.name}-"
  type                            = "MANAGED"
  state                           = "ENABLED"
  service_role                    = aws_iam_role.batch_service[0].arn
  tags                            = var.tags

  compute_resources {
    type                = "SPOT"
    allocation_strategy = "SPOT_PRICE_CAPACITY_OPTIMIZED"
    min_vcpus           = 0
    max_vcpus           = var.batch_max_vcpus
    instance_type       = var.batch_instance_types
    instance_role       = aws_iam_instance_profile.batch_machine[0].arn
    subnets             = local.subnet_ids
    security_group_ids  = [aws_security_group.machines.id]
    tags                = merge(var.tags, { Name = "${var.name}-batch", "blobpipes:stack" = var.name })
  }

  lifecycle {
    create_before_destroy = true # a queue must never be without one
  }

  # Without its policy the service cannot remove its machines, and destroying hangs.
  depends_on = [aws_iam_role_policy_attachment.batch_service, aws_iam_role_policy_attachment.batch_machine]
}

resource "aws_batch_job_queue" "jobs" {
  count = var.batch ? 1 : 0

  name     = "${var.name}-spot"
  state    = "ENABLED"
  priority = 1
  tags     = var.tags

  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.spot[0].arn
  }
}

resource "aws_batch_job_definition" "job" {
  count = var.batch ? 1 : 0

  name                  = "${var.name}-job"
  type                  = "container"
  platform_capabilities = ["EC2"]
  propagate_tags        = true
  tags                  = var.tags

  retry_strategy {
    attempts = var.batch_attempts

    evaluate_on_exit {
      action           = "RETRY" # the machine was taken away
      on_status_reason = "Host EC2*"
    }

    evaluate_on_exit {
      action    = "EXIT" # the program failed: that is its own business
      on_reason = "*"
    }
  }

  container_properties = jsonencode({
    image      = var.batch_image
    command    = ["python", "-c", "print('this job was submitted without a command')"]
    jobRoleArn = aws_iam_role.job.arn
    resourceRequirements = [
      { type = "VCPU", value = tostring(var.batch_vcpus) },
      { type = "MEMORY", value = tostring(var.batch_memory_mib) },
    ]
  })
}
