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

    async Task<ListPage<StoredTemplate>> LoadAsync(string? from, CancellationToken ct)
    {
        var after = from is null ? 0 : int.Parse(from, CultureInfo.InvariantCulture);
        var found = await Templates.ListAsync(Viewer.Tenant, after, ListPage.Wanted, ct);
        return ListPage.Of(found, template => template.Number.ToString(CultureInfo.InvariantCulture));
    }
}
