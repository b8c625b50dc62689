using System.Globalization;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Templates;

namespace Postrider.Submission;

/// <summary>The template of a call by destination: stored once, with the data of each. Every destination is filled in here too, so that
/// what cannot be sent is refused now.</summary>
/// <param name="request">The call's, its content that of the template.</param>
/// <param name="data">Of the call, for all destinations; undefined where there is none.</param>
sealed class DestinationMerge(
    SubmissionRequest request, ReadyTemplate template, MergeForm form, JsonElement data, FillRules rules, SubmissionOptions options)
{
    /// <summary>Of one call, for all its destinations: a template that is slow is slow ten thousand times.</summary>
    static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(30);

    readonly TemplateData _shared = TemplateData.Of(data);
    readonly byte[] _sharedBytes = Bytes(data, default);
    readonly long _started = rules.Clock?.GetTimestamp() ?? 0;
    long _bytes;

    public SubmissionRequest Request => request;
    public MergeForm Form => form;

    /// <summary>What all destinations are filled in with: a JSON object in UTF-8.</summary>
    public ReadOnlyMemory<byte> SharedData => _sharedBytes;

    /// <summary>One problem for the call: together the data are more than one call may bring.</summary>
    public Problem? TooMuch => _bytes > options.MaxBytesPerCall ? SubmissionProblems.TooLargeTogether(options.MaxBytesPerCall) : null;

    /// <summary>What is stored for a destination; null when it cannot be filled in, then <paramref name="faults"/> has why.</summary>
    public MergedMessage? Fill(Destination destination, int index, Faults faults)
    {
        var own = destination.Data ?? default;
        var bytes = own.ValueKind == JsonValueKind.Undefined ? _sharedBytes : Bytes(data, own);
        _bytes += bytes.Length;
        if (TooMuch is not null)
            return null;
        var pointer = string.Create(CultureInfo.InvariantCulture, $"/destinations/{index}/data");
        if (rules.Clock?.GetElapsedTime(_started) > MaxTime)
        {
            faults.Add("/template", "template-limit", $"The destinations take longer than {MaxTime.TotalSeconds:0} s to fill in.");
            return null;
        }
        var all = own.ValueKind == JsonValueKind.Undefined ? _shared : _shared.With(own);
        if (template.Fill(all, rules, form.IsStrict, withText: false, out var problem) is not { } filled)
        {
            faults.Add(problem!.Slug == "template-data" ? pointer : "/template", problem.Slug, problem.Detail);
            return null;
        }
        var ofSubject = new Faults();
        var subject = ContentCheck.Subject(filled.Subject, options, ofSubject);
        if (!ofSubject.Any)
            return new MergedMessage(bytes, subject);
        var fault = ofSubject.ToProblem();
        faults.Add(pointer, fault.Slug, fault.Detail);
        return null;
    }

    /// <summary>The members of the second over those of the first.</summary>
    public static byte[] Bytes(JsonElement all, JsonElement own)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            if (all.ValueKind == JsonValueKind.Object)
                foreach (var member in all.EnumerateObject())
                    if (own.ValueKind != JsonValueKind.Object || !own.TryGetProperty(member.Name, out _))
                        member.WriteTo(writer);
            if (own.ValueKind == JsonValueKind.Object)
                foreach (var member in own.EnumerateObject())
                    member.WriteTo(writer);
            writer.WriteEndObject();
        }
        return bytes.ToArray();
    }
}

/// <summary>What a message of a template has of its own.</summary>
readonly record struct MergedMessage(ReadOnlyMemory<byte> Data, string Subject);
