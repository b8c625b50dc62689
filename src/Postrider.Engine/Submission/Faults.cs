using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>The faults of one request, gathered so that the caller hears of all at once.</summary>
public sealed class Faults
{
    /// <summary>More are counted, not listed: a list of 10,000 bad addresses must not make an answer of megabytes.</summary>
    public const int MaxListed = 100;

    List<ProblemError>? _errors;
    int _count;

    public bool Any => _count > 0;

    public void Add(string pointer, string slug, string detail)
    {
        _count++;
        if (_count <= MaxListed)
            (_errors ??= []).Add(new ProblemError(pointer, slug, detail));
    }

    /// <summary>Takes over the faults of one element of a list; its pointers get <paramref name="prefix"/> in front.</summary>
    public void AddAll(string prefix, Problem problem)
    {
        if (problem.Errors.Count == 0)
            Add(prefix, problem.Slug, problem.Detail);
        foreach (var error in problem.Errors)
            Add(prefix + error.Pointer, error.Slug, error.Detail);
    }

    /// <summary>Named for the first fault; its status too.</summary>
    public Problem ToProblem()
    {
        var errors = _errors!;
        var (status, title) = Known(errors[0].Slug);
        var detail = _count == 1 ? errors[0].Detail
            : _count <= MaxListed ? $"{errors[0].Detail} There are {_count} faults; 'errors' lists them."
            : $"{errors[0].Detail} There are {_count} faults; 'errors' lists the first {MaxListed}.";
        return new Problem(errors[0].Slug, status, title, detail) { Errors = errors };
    }

    public static Problem One(string pointer, string slug, string detail)
    {
        var faults = new Faults();
        faults.Add(pointer, slug, detail);
        return faults.ToProblem();
    }

    static (int Status, string Title) Known(string slug) => slug switch
    {
        "too-large" => (413, "Too large"),
        "unverified-sender" => (403, "Sender not verified"),
        "invalid-address" => (422, "Invalid address"),
        "no-recipients" => (422, "No recipients"),
        "too-many-recipients" => (422, "Too many recipients"),
        "header-injection" => (422, "Line break in a header"),
        "forbidden-header" => (422, "Header not allowed"),
        "too-many-headers" => (422, "Too many headers"),
        "invalid-attachment" => (422, "Invalid attachment"),
        "url-not-allowed" => (422, "URL not allowed"),
        "invalid-time" => (422, "Invalid time"),
        "invalid-schedule" => (422, "Invalid schedule"),
        "no-content" => (422, "No content"),
        "invalid-mime" => (422, "Invalid message"),
        _ => (422, "Invalid field"),
    };

    /// <summary>A name as a token of a JSON pointer (RFC 6901 §3); a long one is cut, it is shown to people.</summary>
    public static string Token(string name)
    {
        var token = name.Length <= 100 ? name : name[..100];
        return token.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
    }
}
