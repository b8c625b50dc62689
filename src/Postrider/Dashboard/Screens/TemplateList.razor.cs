using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Templates;

namespace Postrider.Dashboard.Screens;

/// <summary>What mail is made of.</summary>
sealed partial class TemplateList
{
    const string Example = """{"name":"welcome","subject":"Hi {{name}}","html":"<p>Welcome, {{name}}.</p>","test_data":{"name":"Ann"}}""";

    [Inject]
    TemplateLibrary Templates { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    async Task<ListPage<StoredTemplate>> LoadAsync(string? from, CancellationToken ct)
    {
        const int Size = LiveList<StoredTemplate>.PageSize;
        var after = from is null ? 0 : int.Parse(from, CultureInfo.InvariantCulture);
        var found = await Templates.ListAsync(Viewer.Tenant, after, Size + 1, ct);
        var rows = found.Take(Size).ToList();
        return new ListPage<StoredTemplate>(rows, found.Count > Size ? rows[^1].Number.ToString(CultureInfo.InvariantCulture) : null);
    }
}
