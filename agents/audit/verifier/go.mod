module driftline/audit/verifier

go 1.20
