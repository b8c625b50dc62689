using Postrider.Events;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Parts;

/// <summary>An endpoint while it is written.</summary>
public sealed class WebhookDraft
{
    readonly Webhook? _before;

    public string Url { get; set; } = "";
    public string Description { get; set; } = "";

    /// <summary>Of an endpoint that is there only such as take the place of those it has: what they say is for the wire alone.</summary>
    public string Headers { get; set; } = "";

    /// <summary>All of them; else those of <see cref="Chosen"/>.</summary>
    public bool WantsAll { get; set; } = true;
    public HashSet<string> Chosen { get; } = new(StringComparer.Ordinal);

    /// <summary>Names and patterns that may be chosen.</summary>
    public IReadOnlyList<string> Choices { get; }

    public WebhookDraft() => Choices = Known;

    public WebhookDraft(Webhook webhook)
    {
        _before = webhook;
        (Url, Description, WantsAll) = (webhook.Url, webhook.Description, webhook.Events.Count == 0);
        Chosen.UnionWith(webhook.Events);
        Choices = [.. Known, .. webhook.Events.Except(Known)];
    }

    static IReadOnlyList<string> Known => [.. EventNames.All.Where(name => name != EventNames.WebhookTest)];

    public void Choose(string name, bool isWanted)
    {
        if (isWanted)
            Chosen.Add(name);
        else
            Chosen.Remove(name);
    }

    /// <summary>Of an endpoint that is there only what was changed. Null: <paramref name="problem"/> says why.</summary>
    public WebhookRequest? ToRequest(out Problem? problem)
    {
        problem = null;
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in Headers.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (line.IndexOf(':', StringComparison.Ordinal) is not (> 0 and var colon))
            {
                problem = TenantProblems.InvalidField("/headers", $"'{line}' is no header field. Write Name: value, one a line.");
                return null;
            }
            headers[line[..colon].Trim()] = line[(colon + 1)..].Trim();
        }
        if (!WantsAll && Chosen.Count == 0)
        {
            problem = TenantProblems.InvalidField("/events", "Choose at least one event, or all of them.");
            return null;
        }
        IReadOnlyList<string> events = WantsAll ? [] : [.. Choices.Where(Chosen.Contains)];
        return new WebhookRequest
        {
            Url = Url.Trim() == _before?.Url ? null : Url.Trim(),
            Description = Description == _before?.Description ? null : Description,
            Events = _before is not null && events.SequenceEqual(_before.Events) ? null : events,
            Headers = headers.Count > 0 ? headers : null,
        };
    }
}
