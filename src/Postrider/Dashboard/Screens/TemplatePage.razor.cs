using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Templates;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>A template: written, looked at while it is written, and kept version by version.</summary>
sealed partial class TemplatePage
{
    /// <summary>The parts as texts.</summary>
    sealed record TypedParts(string Subject, string Text, string Html, string Data)
    {
        public static readonly TypedParts Empty = new("", "", "", "");
    }

    StoredTemplate? _template;
    (string? Id, int? Version) _read;
    TypedParts _shown = TypedParts.Empty;     // what the fields began with
    TypedParts _typed = TypedParts.Empty;     // as last read
    int _edition;                   // of the fields: another template or version begins them anew
    string _name = "";
    bool _isLenient;
    bool _allowsRaw;
    LongText? _subject;
    LongText? _html;
    LongText? _text;
    LongText? _data;
    Problem? _problem;              // with what was typed
    Problem? _unfilled;             // with what the data lacks
    ShownMail? _preview;
    string? _previewSubject;

    /// <summary>Null: a new one.</summary>
    [Parameter]
    public string? Id { get; set; }

    /// <summary>Null: the newest.</summary>
    [SupplyParameterFromQuery]
    public int? Version { get; set; }

    [Inject]
    TemplateLibrary Templates { get; set; } = null!;

    bool MayChange => Viewer.May(Scopes.Manage) && _template?.ArchivedAt is null;

    ProblemError? ErrorOf(string pointer) => _problem?.Errors.FirstOrDefault(error => error.Pointer == pointer);

    static bool IsAtPlace(Problem problem) => problem.Errors.Count > 0
        && problem.Errors.All(error => error.Pointer is "/subject" or "/text" or "/html" or "/test_data");

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (_template is not null && _read == (Id, Version))
            return;
        if (Id is null)
            return;
        var found = await Templates.FindAsync(Viewer.Tenant, Id, Version, ct);
        (_template, _read) = (found, (Id, Version));
        if (found?.Version.Content is not { } content)
            return;
        _shown = new TypedParts(content.Subject ?? "", content.Text ?? "", content.Html ?? "",
            content.TestData is { } data ? TypedJson.Pretty(JsonElement.Parse(data)) : "");
        _edition++;
        (_typed, _isLenient, _allowsRaw, _problem) = (_shown, content.IsStrict == false, content.AllowsRawHtml, null);
        await FillAsync(ct);
    }

    void ShowVersion(ChangeEventArgs change)
    {
        Told = null;
        Pages.NavigateTo($"templates/{_template!.Id}?version={change.Value}");
    }

    async Task TakeAsync()
    {
        var typed = new TypedParts(
            _subject is null ? "" : await _subject.ReadAsync(), _text is null ? "" : await _text.ReadAsync(),
            _html is null ? "" : await _html.ReadAsync(), _data is null ? "" : await _data.ReadAsync());
        if (typed == _typed)
            return;
        (_typed, Told) = (typed, null);
    }

    /// <summary>Null: <see cref="_problem"/> says why.</summary>
    TemplateContent? Content()
    {
        var data = TypedJson.Object(_typed.Data, "/test_data", out _problem);
        return _problem is not null ? null : new TemplateContent
        {
            Subject = Given(_typed.Subject.ReplaceLineEndings(" ").Trim()),
            Text = Given(_typed.Text),
            Html = Given(_typed.Html),
            IsStrict = _isLenient ? false : _template?.Version.Content.IsStrict == true ? true : null,
            AllowsRawHtml = _allowsRaw,
            TestData = data.ValueKind == JsonValueKind.Object ? data.GetRawText() : null,
        };
    }

    static string? Given(string text) => text.Length > 0 ? text : null;

    async Task PreviewAsync()
    {
        await TakeAsync();
        await FillAsync(Viewer.Ended);
    }

    async Task FillAsync(CancellationToken ct)
    {
        _unfilled = null;
        if (Content() is not { } content || content is { Subject: null, Text: null, Html: null })
            return;
        try
        {
            var (filled, problem) = await Templates.PreviewAsync(Viewer.Tenant, content, default, null, ct);
            if (filled is not null)
                (_preview, _previewSubject) = (new ShownMail { Text = filled.Text, Html = filled.Html }, filled.Subject);
            else if (IsAtPlace(problem!))
                _problem = problem;
            else
                _unfilled = problem;
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            _problem = explained;
        }
    }

    async Task SaveAsync()
    {
        await PreviewAsync();
        if (_problem is not null || Content() is not { } content)
            return;
        StoredTemplate? stored = null;
        var (action, target) = Id is null ? ("POST /templates", "/templates")
            : ("POST /templates/{template}/versions", $"/templates/{_template!.Id}/versions");
        _problem = await Actions.DoAsync(new NeedsAttribute(Scopes.Manage), action, target, async by =>
        {
            var result = _template is null ? await Templates.AddAsync(by.Tenant, _name.Trim(), content)
                : await Templates.AddVersionAsync(by.Tenant, _template.Id, content, CancellationToken.None);
            stored = result.Template;
            return result.Problem;
        });
        if (stored is null)
            return;
        Told = $"Saved as version {Numbers.Count(stored.NewestVersion)}. Mail is sent with it from now on.";
        (_template, _read) = (stored, (stored.Id, null));
        Pages.NavigateTo($"templates/{stored.Id}", replace: true);
    }

    async Task ArchiveAsync()
    {
        _problem = await Actions.DoAsync(
            new NeedsAttribute(Scopes.Manage), "DELETE /templates/{template}", $"/templates/{_template!.Id}", async by =>
                await Templates.ArchiveAsync(by.Tenant, _template.Id, isForced: false, CancellationToken.None));
        if (_problem is not null)
            return;
        Told = "Archived. Nothing is sent with it any more; mail that was accepted stays as it is.";
        _read = default;
        await LookAsync();
    }
}
