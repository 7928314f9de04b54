# What a machine for one job is like. The client adds the boot script, and asks for spot or on demand.

resource "aws_launch_template" "job" {
  name                                 = "${var.name}-job"
  description                          = "One machine for one job of blobpipes"
  image_id                             = var.image
  instance_type                        = var.instance_type
  instance_initiated_shutdown_behavior = "terminate" # a machine that shuts itself down is gone and costs nothing
  update_default_version               = true
  vpc_security_group_ids               = [aws_security_group.machines.id]
  tags                                 = var.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.job.arn
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2 # one more, so that a container on the machine sees the notice of an interruption
    instance_metadata_tags      = "enabled"
  }

  block_device_mappings {
    device_name = "/dev/sda1"

    ebs {
      volume_size           = var.disk_gib
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = "${var.name}-job", "blobpipes:stack" = var.name })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(var.tags, { Name = "${var.name}-job", "blobpipes:stack" = var.name })
  }
}
