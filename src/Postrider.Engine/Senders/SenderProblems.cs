using Postrider.Messages;

namespace Postrider.Senders;

/// <summary>The refusals of this room.</summary>
static class SenderProblems
{
    public static Problem Absent { get; } = new("not-found", 404, "Not found", "There is no such sender domain, or no such key of it.");

    public static Problem Exists(string name) => new("domain-exists", 409, "Domain exists", $"The domain {name} is there already.");

    public static Problem Taken(string name) => new(
        "domain-taken", 409, "Domain is another's",
        $"The domain {name} is verified for another tenant. It can be verified here when that tenant has removed it, or lost its record.");

    public static Problem ChangedMeanwhile { get; } = new(
        "changed-meanwhile", 409, "Changed meanwhile", "Somebody else changed the domain at the same time. Look at it, and try again.");

    public static Problem Invalid(string pointer, string detail) =>
        new("invalid-field", 422, "Invalid field", detail) { Errors = [new(pointer, "invalid-field", detail)] };
}

/// <summary>A domain as it is now, or why not; exactly one is set.</summary>
public readonly record struct DomainResult
{
    public DomainResult(SenderDomain domain) => Domain = domain;
    public DomainResult(Problem problem) => Problem = problem;

    public SenderDomain? Domain { get; }
    public Problem? Problem { get; }
}
