using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Access;

/// <summary>Keeps the keys of what browsers are given to bring back in the database, sealed: so that every node opens what another has
/// made.</summary>
sealed partial class SealedKeys(IProtectionKeyStore store, Sealer sealer, TimeProvider clock, ILogger<SealedKeys> log) : IXmlRepository
{
    const string Column = "protection_keys.sealed";

    // The framework asks without a task, once a day and when the dashboard is first opened; and from within a page that is drawn, whose
    // thread the answer must not wait for.
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        var elements = new List<XElement>();
        foreach (var (id, stored) in Task.Run(store.ListAsync).GetAwaiter().GetResult())
        {
            if (sealer.TryOpen(stored.Span, TenantId.First, Column, id, out var text))
                elements.Add(XElement.Parse(Encoding.UTF8.GetString(text)));
            else
                LogUnopened(id);
        }
        return elements;
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        var text = Encoding.UTF8.GetBytes(element.ToString(SaveOptions.DisableFormatting));
        var sealedText = sealer.Seal(text, TenantId.First, Column, friendlyName);
        Task.Run(() => store.AddAsync(new ProtectionKey(friendlyName, sealedText), clock.GetUtcNow())).GetAwaiter().GetResult();
    }

    [LoggerMessage(LogLevel.Error, "The dashboard's key {Id} was sealed with another master key: who is signed in may have to load pages again")]
    partial void LogUnopened(string id);
}
