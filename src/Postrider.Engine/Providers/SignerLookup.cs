using Postrider.Mail.Dkim;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>Who signs a tenant's mail from this domain (A-labels, lower case); null where nobody does. From memory: asked at every
/// try.</summary>
public delegate DkimSigner? SignerLookup(TenantId tenant, string domain);
