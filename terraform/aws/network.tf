# Machines reach out (to S3, and for what the job fetches); nothing reaches in.

data "aws_vpc" "this" {
  id      = var.vpc_id
  default = var.vpc_id == null ? true : null
}

data "aws_subnets" "this" {
  count = var.subnet_ids == null ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }
}

locals {
  subnet_ids = var.subnet_ids == null ? sort(data.aws_subnets.this[0].ids) : var.subnet_ids
}

resource "aws_security_group" "machines" {
  name        = "${var.name}-machines"
  description = "Machines of blobpipes: out only"
  vpc_id      = data.aws_vpc.this.id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.machines.id
  description       = "S3 and what a job fetches"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
