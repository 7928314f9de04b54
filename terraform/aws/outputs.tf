output "url" {
  description = "Where sessions live: what `url=` and BLOBPIPES_URL take."
  value       = "s3://${aws_s3_bucket.pipes.bucket}/${var.prefix}"
}

output "region" {
  description = "Region of the bucket, the machines and the queue."
  value       = local.region
}

output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.pipes.bucket
}

output "job_role_arn" {
  description = "The role that jobs have."
  value       = aws_iam_role.job.arn
}

output "orchestrator_policy_arn" {
  description = "The policy that the orchestrator needs; attach it to the role or user that launches jobs."
  value       = aws_iam_policy.orchestrator.arn
}

output "orchestrator_role_arn" {
  description = "The role that `orchestrator_trusted_arns` may take; null without them."
  value       = one(aws_iam_role.orchestrator[*].arn)
}

output "ec2" {
  description = "Settings of a machine of its own for each job."
  value = {
    region          = local.region
    launch_template = aws_launch_template.job.name
    subnet_ids      = local.subnet_ids
  }
}

output "aws_batch" {
  description = "Settings of the queue; null without `batch`."
  value = var.batch ? {
    region         = local.region
    queue          = aws_batch_job_queue.jobs[0].name
    job_definition = aws_batch_job_definition.job[0].name
  } : null
}
