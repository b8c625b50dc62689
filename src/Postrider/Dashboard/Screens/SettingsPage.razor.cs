using Microsoft.AspNetCore.Components;
using Postrider.Hosting;

namespace Postrider.Dashboard.Screens;

/// <summary>The configuration as it takes effect, as <c>config show</c> prints it.</summary>
sealed partial class SettingsPage
{
    const string Given = "given";

    IReadOnlyList<ShownSetting> _settings = [];
    string _has = "";
    bool _onlyGiven;

    [Inject]
    LoadedConfiguration Configuration { get; set; } = null!;

    private protected override void Ask(IQueryCollection query)
    {
        (_has, _onlyGiven) = (query["has"].ToString().Trim(), query["which"] == Given);
        _settings =
        [
            .. Configuration.Show().Where(setting => (!_onlyGiven || setting.Origin != "default")
                && (setting.Key.Contains(_has, StringComparison.OrdinalIgnoreCase)
                    || setting.Value.Contains(_has, StringComparison.OrdinalIgnoreCase))),
        ];
    }
}
