using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;
using Postrider.Hosting;

namespace Postrider.Dashboard.Screens;

/// <summary>The configuration as it takes effect, as <c>config show</c> prints it.</summary>
sealed partial class SettingsPage
{
    IReadOnlyList<ShownSetting> _settings = [];
    string _has = "";
    bool _onlyGiven;

    [Inject]
    LoadedConfiguration Configuration { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var asked = QueryHelpers.ParseQuery(new Uri(Pages.Uri).Query);
        (_has, _onlyGiven) = (asked.GetValueOrDefault("has").ToString().Trim(), asked.GetValueOrDefault("which") == "given");
        _settings =
        [
            .. Configuration.Show().Where(setting => (!_onlyGiven || setting.Origin != "default")
                && (setting.Key.Contains(_has, StringComparison.OrdinalIgnoreCase)
                    || setting.Value.Contains(_has, StringComparison.OrdinalIgnoreCase))),
        ];
    }
}
