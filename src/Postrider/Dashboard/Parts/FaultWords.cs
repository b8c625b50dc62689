using System.Text.RegularExpressions;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Dashboard.Parts;

/// <summary>One fault as people read it.</summary>
/// <param name="Field">As screens label it; null: it is of no one field.</param>
readonly record struct ShownFault(string? Field, string Words);

/// <summary>What a refusal says, for who has fields with labels before him and no JSON: each fault once.</summary>
static partial class FaultWords
{
    /// <summary>Null: the faults say it all.</summary>
    public static string? Title(Problem problem) => problem.Slug switch
    {
        "invalid-field" => "That cannot be taken yet.",
        _ => problem.Title,
    };

    public static IReadOnlyList<ShownFault> Of(Problem problem)
    {
        var faults = problem.Errors.Select(error => new ShownFault(Field(error.Pointer), Plain(error.Detail))).Distinct().ToList();
        // The summary is made of the first fault or of all, and says more only where it is neither.
        var isSummary = problem.Errors.Any(error => problem.Detail.Contains(error.Detail, StringComparison.Ordinal));
        if (!isSummary && problem.Detail.Length > 0)
            faults.Insert(0, new ShownFault(null, Plain(problem.Detail)));
        if (problem.Errors.Count >= Faults.MaxListed)
            faults.Add(new ShownFault(null, $"These are the first {Faults.MaxListed}; there may be more."));
        return faults;
    }

    /// <summary>The label of what a JSON pointer (RFC 6901) names: <c>/reply_to/1</c> is "Reply to, 2". Null: the whole.</summary>
    internal static string? Field(string pointer)
    {
        var tokens = pointer.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (tokens is ["email" or "settings" or "options", var inner, ..] && !int.TryParse(inner, out _))
            tokens = tokens[1..];
        if (tokens is not [var name, ..])
            return null;
        var label = Label(name.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal));
        return tokens is [_, var place, ..] && int.TryParse(place, out var n) ? $"{label}, {n + 1}" : label;
    }

    /// <summary>Without the names that members have in JSON: <c>'send_at' is past</c> is "Send at is past".</summary>
    internal static string Plain(string detail)
    {
        var plain = Quoted().Replace(detail, quoted => $"“{Label(quoted.Groups[1].Value)}”");
        return Snake().Replace(plain, name => name.Index == 0 ? Label(name.Value) : $"“{Label(name.Value)}”");
    }

    static string Label(string name) => name switch
    {
        "html" => "HTML",
        "url" => "URL",
        "from" or "to" or "cc" or "bcc" or "subject" or "text" or "name" => Capital(name),
        "template" => "Content",
        "data" or "variables" => "Data",
        "at" or "times" => "Times",
        "cron" => "Cron expression",
        "email" => "Address",
        _ => Capital(name.Replace('_', ' ')),
    };

    static string Capital(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];

    // Values that are to be typed in stand in quotes too: those that are no members stay as they are.
    [GeneratedRegex("'(from|to|cc|bcc|reply_to|subject|text|html|tags|name|url|send_at|expires_in|route|stream|template|cron)'")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"(?<![\w'/.{:-])(reply_to|send_at|expires_in|time_zone|max_age|on_ambiguous|test_data|start_at|end_at)(?![\w'/.}])")]
    private static partial Regex Snake();
}
