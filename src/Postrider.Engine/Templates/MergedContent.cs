using System.Runtime.CompilerServices;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>Fills in the content of a message of a batch. It was filled in once when it was accepted, so it can be; by steps alone, so it
/// always comes to the same.</summary>
public static class MergedContent
{
    /// <summary>By the object that the messages of a batch share while they are read together.</summary>
    static readonly ConditionalWeakTable<MergeForm, ReadyTemplate> Ready = [];

    /// <summary>The content itself where it is no template; null, with the reason, where it cannot be filled in.</summary>
    public static MessageContent? Of(MessageContent content, out string why)
    {
        why = "";
        if (content.Merge is not { } merge)
            return content;
        if (TemplateOf(content, out var unread) is not { } template)
        {
            why = unread!.Detail;
            return null;
        }
        var data = content.MergeData.IsEmpty ? default : JsonElement.Parse(content.MergeData.Span);
        if (template.Fill(TemplateData.Of(data), Rules, merge.IsStrict, withText: true, out var problem) is { } filled)
            return content with
            {
                Merge = null,
                MergeData = default,
                Subject = filled.Subject ?? "",
                Text = filled.Text,
                Html = filled.Html,
            };
        why = problem!.Detail;
        return null;
    }

    /// <summary>The template of a batch, read once for all that is read together; null with the reason where it cannot be read.</summary>
    public static ReadyTemplate? TemplateOf(MessageContent content, out Problem? unread)
    {
        unread = null;
        var merge = content.Merge!;
        if (Ready.TryGetValue(merge, out var template))
            return template;
        template = ReadyTemplate.Read(ContentOf(content, merge), out unread);
        if (template is not null)
            Ready.TryAdd(merge, template);
        return template;
    }

    // What the limits were when it was accepted is not known here; beyond these nothing is accepted.
    static FillRules Rules { get; } = new() { MaxLength = 100_000_000, MaxSteps = 100_000_000 };

    static TemplateContent ContentOf(MessageContent content, MergeForm merge) => new()
    {
        Subject = content.Subject,
        Text = content.Text,
        Html = content.Html,
        AllowsRawHtml = merge.AllowsRawHtml,
    };
}
