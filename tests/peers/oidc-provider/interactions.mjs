// The user: logs in as alice and consents to whatever is asked, without a page.

export const USER = 'alice';

export const interactions = (provider) => async (context, next) => {
  if (!context.path.startsWith('/interaction/')) return next();

  const { prompt, params, session, grantId } = await provider.interactionDetails(context.req, context.res);
  context.respond = false; // `interactionFinished` writes the answer itself
  if (prompt.name === 'login') {
    const result = { login: { accountId: USER } };
    return provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: false });
  }

  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
};
