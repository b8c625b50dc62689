using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Templates;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>The fields of a mail, as every screen has them that sends some.</summary>
sealed partial class MailFields
{
    const int MaxFiles = 10;
    const int MaxFileBytes = 10_000_000;

    /// <summary>Of the choice; the address of any other can be given to the API.</summary>
    const int MaxTemplates = 200;

    IReadOnlyList<StoredTemplate> _templates = [];
    Problem? _fault;
    bool _isPreviewed;

    [Parameter, EditorRequired]
    public MailDraft Draft { get; set; } = null!;

    /// <summary>To, cc and bcc; else each recipient gets a mail of its own.</summary>
    [Parameter]
    public bool HasRecipients { get; set; }

    [Parameter]
    public bool HasTime { get; set; }

    /// <summary>Of the last try; what it says of a field is shown there. Null: there was none, or it went well.</summary>
    [Parameter]
    public Problem? Problem { get; set; }

    string? TimeFault => Problem?.Errors.FirstOrDefault(error => error.Pointer == "/send_at")?.Detail;

    [CascadingParameter]
    LongTexts? Form { get; set; }

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    TemplateLibrary Templates { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    protected override async Task OnInitializedAsync()
    {
        try
        {
            var found = await Templates.ListAsync(Viewer.Tenant, 0, MaxTemplates, Viewer.Ended);
            _templates = [.. found.Where(template => template.ArchivedAt is null)];
            if (Draft.IsFromTemplate)
                Begin(_templates.FirstOrDefault(template => template.Name == Draft.Template));
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            _fault = explained;
        }
    }

    void Begin(StoredTemplate? template)
    {
        if (template?.Version.Content.TestData is { } data && string.IsNullOrWhiteSpace(Draft.Data))
            Draft.Data = TypedJson.Pretty(System.Text.Json.JsonElement.Parse(data));
    }

    async Task ChooseAsync(ChangeEventArgs change)
    {
        if (Form is not null)
            await Form.ReadAsync();
        (Draft.Template, Draft.TemplateVersion) = (change.Value as string ?? "", null);
        Begin(_templates.FirstOrDefault(template => template.Name == Draft.Template));
    }

    async Task AttachAsync(InputFileChangeEventArgs change)
    {
        _fault = null;
        if (change.FileCount > MaxFiles)
        {
            _fault = TenantProblems.InvalidField("/attachments", $"{change.FileCount} files are too many at once; add {MaxFiles} at a time.");
            return;
        }
        foreach (var file in change.GetMultipleFiles(MaxFiles))
        {
            if (file.Size > MaxFileBytes)
            {
                _fault = TenantProblems.InvalidField(
                    "/attachments", $"{file.Name} is larger than {Numbers.Bytes(MaxFileBytes)}. The API takes more.");
                continue;
            }
            using var bytes = new MemoryStream();
            await using var stream = file.OpenReadStream(MaxFileBytes);
            await stream.CopyToAsync(bytes);
            Draft.Files.Add(new AttachmentText(file.Name, file.ContentType, Convert.ToBase64String(bytes.ToArray()), null));
        }
    }
}
