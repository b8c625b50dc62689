using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Submission;
using Postrider.Templates;

namespace Postrider.Api.Dialects;

/// <summary>From the messages of a call to what is submitted: templates that came with them are filled in, others named.</summary>
static class DialectTemplates
{
    /// <summary>Of a subject: more is no line of a header.</summary>
    const int MaxSubjectLength = 10_000;

    public static SubmissionEntry ToEntry(DialectSubmission submission, SubmissionOptions options) => submission switch
    {
        { Fault: { } fault } => new SubmissionEntry(fault),
        { Template: { Name: { } name } template } => new SubmissionEntry(submission.Request with
        {
            Text = null,
            Html = null,
            // SendGrid's template goes before its subject, Mailgun has none in its templates.
            Template = new TemplateUse(name)
            {
                Data = template.Data,
                IsStrict = template.IsStrict,
                SubjectIsFallback = template.Subject is not null,
            },
        }),
        { Template: { } template } => Fill(submission.Request, template, (int)Math.Min(options.MaxBodyBytes, int.MaxValue)),
        _ => new SubmissionEntry(submission.Request),
    };

    /// <summary>For callers of whom nobody knows who they are.</summary>
    public static DialectSubmission WithoutStored(DialectSubmission submission) => submission.Template?.Name is { } name
        ? submission with { Fault = TemplateProblems.NoSuch(name), Template = null }
        : submission;

    static SubmissionEntry Fill(SubmissionRequest request, DialectTemplate template, int maxLength)
    {
        string? why = null;
        var subject = Part(template.Subject, template.Data, isHtml: false, MaxSubjectLength, ref why);
        var text = Part(template.Text, template.Data, isHtml: false, maxLength, ref why);
        var html = Part(template.Html, template.Data, isHtml: true, maxLength, ref why);
        return why is null
            ? new SubmissionEntry(request with { Subject = subject, Text = text, Html = html })
            : new SubmissionEntry(DialectProblems.BrokenTemplate(why));
    }

    static string? Part(string? source, JsonElement data, bool isHtml, int maxLength, ref string? why)
    {
        if (source is null || why is not null)
            return null;
        var rules = new FillRules { IsHtml = isHtml, IsStrict = true, MaxLength = maxLength, Clock = TimeProvider.System };
        var filled = ParsedTemplate.Parse(source, allowRaw: true, out var fault)?.Fill(TemplateData.Of(data), rules, out fault);
        why = filled is null ? $"{(fault!.Kind == TemplateFaultKind.Syntax ? "The template is broken: " : "")}{fault}" : null;
        return filled;
    }
}
