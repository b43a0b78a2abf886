import { createRouter, createWebHashHistory } from 'vue-router';
import { asked, isAdmin, isStaff, readSession, session } from '@/lib/session';

export const router = createRouter({
  history: createWebHashHistory(),
  scrollBehavior: (to, from, kept) => kept ?? (to.path === from.path ? false : { top: 0 }),
  routes: [
    { path: '/', redirect: '/overview' },
    { path: '/setup', component: () => import('@/pages/Setup.vue'), meta: { open: true } },
    { path: '/login', component: () => import('@/pages/Login.vue'), meta: { open: true } },
    { path: '/overview', component: () => import('@/pages/Overview.vue') },
    { path: '/streams', component: () => import('@/pages/Streams.vue') },
    { path: '/streams/:account/:app/:name', component: () => import('@/pages/Stream.vue'), props: true },
    { path: '/urls', component: () => import('@/pages/Urls.vue') },
    { path: '/accounts', component: () => import('@/pages/Accounts.vue') },
    { path: '/accounts/:bizid', component: () => import('@/pages/Account.vue'), props: true },
    { path: '/gate', component: () => import('@/pages/Gate.vue') },
    { path: '/callbacks', component: () => import('@/pages/Callbacks.vue') },
    { path: '/history', component: () => import('@/pages/History.vue') },
    { path: '/audit', component: () => import('@/pages/Audit.vue') },
    { path: '/people', component: () => import('@/pages/People.vue'), meta: { admin: true } },
    { path: '/password', component: () => import('@/pages/Password.vue') },
    { path: '/:rest(.*)*', component: () => import('@/pages/Missing.vue') },
  ],
});

router.beforeEach(async (to) => {
  if (!asked.value) {
    // Without an answer the page says so itself.
    await readSession().catch(() => {});
  }
  if (to.meta.open) return true;
  if (!session.value) return { path: '/login', query: to.fullPath === '/overview' ? {} : { next: to.fullPath } };
  if (to.meta.admin && !isAdmin.value) return '/overview';
  // Somebody of one account has one account to look at.
  if (to.path === '/accounts' && !isStaff.value) return `/accounts/${session.value.user.account}`;
  return true;
});
